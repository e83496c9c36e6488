import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server on 127.0.0.1 that can go down and come back at one address. */
export interface LoopbackServer {
  /** The port it has, or had before it went down. */
  readonly port: number
  /** Listens; does nothing if it does already. Rejects when the port is taken, and after `close`. */
  readonly start: () => Promise<void>
  /** Stops listening and cuts all connections; does nothing if it is down already. */
  readonly stop: () => Promise<void>
  /** Stops the server; it cannot be started again. */
  readonly close: () => Promise<void>
}

/** Makes a server that is down. Port 0 is one that is free at the first start. */
export function createLoopbackServer(listener: RequestListener, wantedPort: number): LoopbackServer {
  let port = wantedPort
  let server: Server | undefined
  let closed = false
  let lastTurn: Promise<void> = Promise.resolve()

  /** Starting and stopping take turns, so that calls that were not awaited still end as the last one says. */
  const inTurn = (step: () => Promise<void>): Promise<void> => {
    const turn = lastTurn.then(step)
    lastTurn = turn.catch(() => undefined)
    return turn
  }
  const start = async (): Promise<void> => {
    if (closed) throw new Error('the issuer is closed')
    if (server !== undefined) return
    const starting = createServer(listener)
    // A server that drops idle connections would race with a client that is about to reuse one.
    starting.keepAliveTimeout = 0
    port = await listen(starting, port)
    server = starting
  }
  const stop = async (): Promise<void> => {
    const stopping = server
    server = undefined
    if (stopping !== undefined) await shutDown(stopping)
  }

  return {
    get port() {
      return port
    },
    start: () => inTurn(start),
    stop: () => inTurn(stop),
    close: () =>
      inTurn(() => {
        closed = true
        return stop()
      }),
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port }, () => {
      server.off('error', reject)
      const address = server.address()
      if (isInternetAddress(address)) resolve(address.port)
      else reject(new Error('the server has no port'))
    })
  })
}

function shutDown(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)))
    server.closeAllConnections()
  })
}

function isInternetAddress(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}

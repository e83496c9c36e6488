import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/**
 * Listens with the shortest backlog and fills it, which the kernel does without any help; then its event loop stands
 * still, so that nothing is ever accepted.
 */
const UNACCEPTING = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { connect, createServer } = require('node:net')
  const server = createServer()
  server.listen({ port: workerData, host: '127.0.0.1', backlog: 1 }, () => {
    const { port } = server.address()
    for (let index = 0; index < 8; index += 1) connect(port, '127.0.0.1').on('error', () => undefined)
    // After the ticks that connect, and before the event loop could accept.
    process.nextTick(() => {
      parentPort.postMessage(port)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })
  })
`

/** A server that no connection ever reaches. */
export interface UnacceptingServer {
  readonly port: number
  readonly stop: () => Promise<unknown>
}

/** Starts a server whose backlog is full, so that the kernel drops each further SYN. It ends with the test at the latest. */
export async function startUnacceptingServer(wantedPort = 0): Promise<UnacceptingServer> {
  const worker = new Worker(UNACCEPTING, { eval: true, workerData: wantedPort })
  const [port] = (await once(worker, 'message')) as [number]
  const stop = (): Promise<unknown> => worker.terminate()
  onTestFinished(async () => {
    await stop()
  })
  return { port, stop }
}

/** A server that accepts connections and never sends anything. */
export interface SilentServer {
  readonly port: number
  readonly sockets: readonly Socket[]
}

/** Starts a server that accepts connections and never sends anything: a TLS handshake with it never ends. */
export async function startSilentServer(): Promise<SilentServer> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined))
    socket.resume()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sockets }
}

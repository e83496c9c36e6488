import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { ResolveName } from '../../../src/http/addresses.ts'
import { createTransport, type Transport, type TransportParts } from '../../../src/http/transport.ts'
import { type Certified, privateKeyOf } from './certificates.ts'

/** A TLS server on loopback. */
export interface TlsServer {
  readonly port: number
  /** At `localhost`. */
  readonly url: string
  /** Connections that were begun, whether or not their handshake was ended. */
  connections(): number
  /** Whether each connection resumed a session, in order of the ends of their handshakes. */
  readonly resumed: readonly boolean[]
  /** The targets that were asked for. */
  readonly requests: readonly string[]
}

/** What a {@link TlsServer} is to do. */
export interface TlsServerOptions {
  /** What it presents, its own certificate first. */
  readonly chain: readonly [leaf: Certified, ...others: Certified[]]
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => void
  readonly host?: string
  readonly port?: number
}

/** Starts a server for the length of one test. */
export async function startTlsServer(options: TlsServerOptions): Promise<TlsServer> {
  const { chain, answer = (_, response) => response.end('{}'), host = '127.0.0.1' } = options
  const resumed: boolean[] = []
  const requests: string[] = []
  const key = privateKeyOf(chain[0])
  const cert = chain.map(({ certificate }) => certificate).join('\n')
  const server = createServer({ key, cert }, (request, response) => {
    requests.push(request.url ?? '')
    answer(request, response)
  })
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    resumed.push(socket.isSessionReused())
    socket.on('error', () => undefined)
  })
  server.listen(options.port ?? 0, host)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, url: `https://localhost:${port}/jwks`, connections: () => connections, resumed, requests }
}

/** Says of every name that it has these addresses. */
export function resolvesTo(...addresses: readonly string[]): ResolveName {
  const answer: LookupAddress[] = addresses.map((address) => ({ address, family: 4 }))
  return (_, __, callback) => process.nextTick(callback, null, answer)
}

/** A transport for the length of one test that trusts the authorities and finds every name on loopback. */
export function startTransport(authorities: readonly Certified[], parts: TransportParts = {}): Transport {
  const ca = authorities.map(({ certificate }) => certificate)
  const transport = createTransport(undefined, { resolveName: resolvesTo('127.0.0.1'), ...parts })
  onTestFinished(() => transport.close())
  return {
    get: (request, policy) => transport.get(request, { ...policy, ca: policy.ca ?? ca }),
    close: () => transport.close(),
  }
}

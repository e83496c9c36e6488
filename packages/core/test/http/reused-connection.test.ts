import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createTransport } from '../../src/http/transport.ts'
import { failure, loopbackPolicy } from './transport-scene.ts'

/** What a server does with a request, by the numbers of its connection and of the request on that, from 1. */
type Behaviour = (connection: number, request: number) => 'respond' | 'close' | 'reset' | 'begin and close'

async function startServer(behaviour: Behaviour) {
  const requests: string[] = []
  const connections = new Map<Socket, number>()
  const perConnection = new Map<Socket, number>()
  const server: Server = createServer(({ socket }, response) => {
    const connection = connections.get(socket) ?? 0
    const request = (perConnection.get(socket) ?? 0) + 1
    perConnection.set(socket, request)
    requests.push(`${connection}.${request}`)
    const action = behaviour(connection, request)
    if (action === 'respond') response.end('{}')
    else if (action === 'close') socket.destroy()
    else if (action === 'reset') socket.resetAndDestroy()
    else socket.end('HTTP/1.1 200 O')
  })
  server.keepAliveTimeout = 0
  server.on('connection', (socket) => connections.set(socket, connections.size + 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const transport = createTransport()
  onTestFinished(async () => {
    await transport.close()
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const fetchOnce = async (): Promise<string> => {
    const { signal } = new AbortController()
    const request = { url, document: 'key set', headers: {}, signal, timeout: 5_000 } as const
    const outcome = await failure(transport.get(request, loopbackPolicy))
    // The agent takes a connection back a turn after the response was read.
    await setImmediate()
    return outcome
  }
  return { fetchOnce, requests }
}

describe('a reused connection that the server closes before it responds', () => {
  it.each(['close', 'reset'] as const)('is replaced by a new one, within the same attempt: %s', async (action) => {
    const { fetchOnce, requests } = await startServer((_, request) => (request === 1 ? 'respond' : action))
    expect([await fetchOnce(), await fetchOnce()]).toEqual(['none', 'none'])
    expect(requests).toEqual(['1.1', '1.2', '2.1'])
  })

  it('is replaced once only', async () => {
    const { fetchOnce, requests } = await startServer((connection, request) =>
      connection === 1 && request === 1 ? 'respond' : 'close',
    )
    expect([await fetchOnce(), await fetchOnce()]).toEqual(['none', 'UpstreamUnreachableError'])
    expect(requests).toEqual(['1.1', '1.2', '2.1'])
  })

  it('is replaced by a new one even if there are other idle ones', async () => {
    const { fetchOnce, requests } = await startServer((_, request) => (request === 1 ? 'respond' : 'close'))
    await Promise.all([fetchOnce(), fetchOnce()])
    expect(await fetchOnce()).toBe('none')
    expect(requests.at(-1)).toBe('3.1')
    expect(requests).toHaveLength(4)
  })

  it('is not replaced where a response has begun', async () => {
    const { fetchOnce, requests } = await startServer((_, request) => (request === 1 ? 'respond' : 'begin and close'))
    expect([await fetchOnce(), await fetchOnce()]).toEqual(['none', 'UpstreamUnreachableError'])
    expect(requests).toEqual(['1.1', '1.2'])
  })
})

describe('a new connection that the server closes before it responds', () => {
  it.each(['close', 'reset'] as const)('is a failure: %s', async (action) => {
    const { fetchOnce, requests } = await startServer(() => action)
    expect(await fetchOnce()).toBe('UpstreamUnreachableError')
    expect(requests).toEqual(['1.1'])
  })
})

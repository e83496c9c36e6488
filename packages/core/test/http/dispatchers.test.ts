import { once } from 'node:events'
import { createServer, request as sendRequest } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { HttpDispatcher } from '../../src/index.ts'

/** The part of undici that the tests use, the same in each major version. */
interface Undici {
  readonly Agent: new () => ClosableDispatcher
  readonly ProxyAgent: new (url: string) => ClosableDispatcher
  readonly EnvHttpProxyAgent: new (options: {
    httpProxy: string
    httpsProxy: string
    noProxy: string
  }) => ClosableDispatcher
}

interface ClosableDispatcher extends HttpDispatcher {
  destroy(): Promise<void>
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

/** undici 8 needs Node 22.19. */
const runsUndici8 = major > 22 || (major === 22 && minor >= 19)

const versions: readonly (readonly [version: number, load: () => Promise<Undici>, isSupported: boolean])[] = [
  [6, async () => await import('undici6'), true],
  [7, async () => await import('undici'), true],
  [8, async () => await import('undici8'), runsUndici8],
]

/** A forward proxy: a tunnel by CONNECT, or requests in absolute form, as undici prefers. */
async function startProxy() {
  const seen: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    const onward = sendRequest(request.url ?? '', { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy()).end()
  })
  server.on('connect', ({ url = '' }, client: Socket) => {
    seen.push(`CONNECT ${url}`)
    const [host = '', port] = url.split(':')
    const target = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    for (const socket of [client, target]) sockets.add(socket.on('error', () => undefined))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

/** Fetches by a registry with this dispatcher: metadata, then keys. */
async function resolveBy(dispatcher: ClosableDispatcher) {
  onTestFinished(() => dispatcher.destroy())
  const issuer = await startIssuer()
  const registry = startRegistry({ dispatcher })
  await registry.register({
    tenant: 'acme',
    provider: 'main',
    issuer: issuer.issuer,
    headers: { 'x-tenant': 'acme' },
    retryPolicy: { maxRetries: 0, deadline: 5_000 },
  })
  expect(await registry.resolve('acme', 'main')).toEqual(issuer.jwks)
  expect(issuer.requests.map(({ url }) => url)).toEqual(['/.well-known/openid-configuration', '/jwks'])
  return issuer.requests.map(({ headers }) => headers['x-tenant'])
}

for (const [version, load, isSupported] of versions) {
  describe.skipIf(!isSupported)(`a dispatcher of undici ${version}`, () => {
    it('fetches: Agent', async () => {
      const { Agent } = await load()
      expect(await resolveBy(new Agent())).toEqual(['acme', 'acme'])
    })

    it('fetches through a proxy: ProxyAgent', async () => {
      const { ProxyAgent } = await load()
      const proxy = await startProxy()
      await resolveBy(new ProxyAgent(proxy.url))
      expect(proxy.seen.length).toBeGreaterThan(0)
    })

    it('fetches through a proxy: EnvHttpProxyAgent', async () => {
      const { EnvHttpProxyAgent } = await load()
      const proxy = await startProxy()
      await resolveBy(new EnvHttpProxyAgent({ httpProxy: proxy.url, httpsProxy: proxy.url, noProxy: '' }))
      expect(proxy.seen.length).toBeGreaterThan(0)
    })

    it('ends with its attempt when the server does not respond', async () => {
      const { Agent } = await load()
      const dispatcher = new Agent()
      onTestFinished(() => dispatcher.destroy())
      const issuer = await startIssuer()
      issuer.answerAlways('jwks', { kind: 'hang' })
      const registry = startRegistry({ dispatcher })
      const retryPolicy = { maxRetries: 0, attemptTimeout: 100 }
      await registry.register({ tenant: 'acme', provider: 'main', jwksUri: issuer.jwksUri, retryPolicy })
      await expect(registry.resolve('acme', 'main')).rejects.toMatchObject({
        cause: { code: 'ERR_UPSTREAM_TIMED_OUT' },
      })
    })
  })
}

describe('a dispatcher that does not take the request', () => {
  it.each<[string, HttpDispatcher['request']]>([
    [
      'throws',
      () => {
        throw new TypeError('no')
      },
    ],
    ['rejects', async () => await Promise.reject(new TypeError('no'))],
    ['returns nothing', async () => undefined as never],
    [
      'rejects as undici does',
      async () => await Promise.reject(Object.assign(new Error('x'), { code: 'UND_ERR_INVALID_ARG' })),
    ],
    ['is closed', async () => await Promise.reject(Object.assign(new Error('x'), { code: 'UND_ERR_DESTROYED' }))],
  ])('is named in the error: it %s', async (_, request) => {
    const registry = startRegistry({ dispatcher: { request } })
    const jwksUri = 'http://issuer.example/jwks'
    await registry.register({ tenant: 'acme', provider: 'main', jwksUri })
    await expect(registry.resolve('acme', 'main')).rejects.toMatchObject({
      cause: {
        code: 'ERR_UPSTREAM_REQUEST_FAILED',
        message: 'The request to the provider could not be made: the dispatcher refused it',
      },
    })
  })

  it('is told from a network that fails', async () => {
    const request = async () => await Promise.reject(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))
    const registry = startRegistry({ dispatcher: { request } })
    const retryPolicy = { maxRetries: 0 }
    await registry.register({ tenant: 'acme', provider: 'main', jwksUri: 'http://issuer.example/jwks', retryPolicy })
    await expect(registry.resolve('acme', 'main')).rejects.toMatchObject({
      cause: { code: 'ERR_UPSTREAM_UNREACHABLE' },
    })
  })
})

import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants, createServer } from 'node:http2'
import { type Authenticator, jwksAuth as fastifyAuth } from '@jwks-auth/fastify'
import { jwksAuth as koaAuth, type RequestOptions } from '@jwks-auth/koa'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { fastify } from 'fastify'
import Koa3 from 'koa'
import Koa2 from 'koa2'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { portOf } from './protected-app.ts'

let issuer: TestIssuer
let token: string
const closing: (() => unknown)[] = []

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api' })
  token = await issuer.sign()
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
afterAll(async () => {
  await issuer.close()
})

interface App {
  readonly port: number
  readonly authenticator: Pick<Authenticator<unknown>, 'authenticate'>
}

type Start = (options: Pick<RequestOptions<unknown>, 'isRevoked'>, handle: () => string) => Promise<App>

const startKoa =
  (Koa: typeof Koa3): Start =>
  async (options, handle) => {
    const middleware = koaAuth({ issuer: issuer.issuer, audience: 'api', requireHttps: false, ...options })
    const app = new Koa().use(middleware).use((ctx) => {
      ctx.body = handle()
    })
    const listener = app.callback()
    const server = createServer((req, res) => {
      void Reflect.apply(listener, undefined, [req, res])
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(
      () => middleware.close(),
      () => server.close(),
    )
    return { port: portOf(server.address()), authenticator: middleware.authenticator }
  }

const startFastify: Start = async (options, handle) => {
  const app = fastify({ http2: true })
  await app.register(fastifyAuth, { issuer: issuer.issuer, audience: 'api', requireHttps: false, ...options })
  app.get('/', handle)
  await app.listen({ port: 0, host: '127.0.0.1' })
  closing.push(() => app.close())
  return { port: portOf(app.server.address()), authenticator: app.jwksAuth.authenticator }
}

function open(port: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`)
  closing.unshift(() => client.destroy())
  return client
}

describe.each([
  // The types of 2 are the same for what is used here.
  ['Koa 2', startKoa(Koa2 as unknown as typeof Koa3)],
  ['Koa 3', startKoa(Koa3)],
  ['Fastify 5', startFastify],
] as const)('%s over HTTP/2', (_, start) => {
  it.each([
    ['accepts a good token', () => ({ authorization: `Bearer ${token}` }), 200],
    ['refuses a request without one', () => ({}), 401],
  ] as const)('%s', async (_, headers, status) => {
    const { port } = await start({}, () => 'handled')
    const request = open(port).request({ ':path': '/', ...headers() })
    const [answer] = (await once(request, 'response')) as [Record<string, unknown>]
    request.resume()
    expect(answer[':status']).toBe(status)
  })

  it('runs no handler for a client that cancels while jwksAuth waits', async () => {
    let release: (isRevoked: boolean) => void = () => undefined
    const isRevoked = new Promise<boolean>((resolve) => {
      release = resolve
    })
    const handle = vi.fn<() => string>(() => 'handled')
    const { port, authenticator } = await start({ isRevoked: () => isRevoked }, handle)
    const authenticate = vi.spyOn(authenticator, 'authenticate')
    const client = open(port)
    const request = client.request({ ':path': '/', authorization: `Bearer ${token}` })
    request.on('error', () => undefined)
    await vi.waitUntil(() => authenticate.mock.calls.length > 0)
    request.close(constants.NGHTTP2_CANCEL)
    await once(request, 'close')
    // The server has read the cancellation once it has answered a later frame.
    await new Promise((resolve) => client.ping(resolve))
    release(false)
    await authenticate.mock.results[0]?.value
    await new Promise((resolve) => setImmediate(resolve))
    expect(handle).not.toHaveBeenCalled()
  })
})

import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { jwksAuth, requireScopes } from '@jwks-auth/fastify'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

const audience = 'https://api.example'
let issuer: TestIssuer
let authorization: string
let app: FastifyInstance

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  authorization = `Bearer ${await issuer.sign({ scope: 'a b' })}`
})
beforeEach(() => {
  app = fastify({ forceCloseConnections: true })
})
afterEach(async () => {
  await app.close()
})
afterAll(async () => {
  await issuer.close()
})

interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
}

function deferred<Value>(): Deferred<Value> {
  let resolve: (value: Value) => void = () => undefined
  const promise = new Promise<Value>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

interface Waiting {
  readonly url: string
  /** Counts the requests and the errors that come past the plugin. */
  passedOn(): number
  /** Ends the wait of the first request. */
  end(isRevoked: boolean): Promise<void>
  /** Resolves once the first request waits. */
  waits(): Promise<unknown>
}

/** Serves a route behind the plugin, which waits. */
async function serveWaiting(passErrors: boolean): Promise<Waiting> {
  const isRevoked = deferred<boolean>()
  let passedOn = 0
  await app.register(jwksAuth, {
    issuer: issuer.issuer,
    audience,
    requireHttps: false,
    passErrors,
    isRevoked: () => isRevoked.promise,
  })
  app.addHook('onRequest', async () => {
    passedOn += 1
  })
  app.addHook('onError', async () => {
    passedOn += 1
  })
  app.get('/', () => 'handled')
  const authenticate = vi.spyOn(app.jwksAuth.authenticator, 'authenticate')
  await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    passedOn: () => passedOn,
    async end(revoked) {
      isRevoked.resolve(revoked)
      await authenticate.mock.results[0]?.value
      await new Promise((resolve) => setImmediate(resolve))
    },
    waits: () => vi.waitUntil(() => authenticate.mock.calls.length > 0),
  }
}

const ends: readonly (readonly [name: string, isRevoked: boolean, passErrors: boolean])[] = [
  ['accepted', false, false],
  ['refused', true, false],
  ['refused with passErrors', true, true],
]

describe('a response that was sent while jwksAuth waited', () => {
  it.each(ends)('is left alone when the request is %s', async (_, revoked, passErrors) => {
    app.addHook('onRequest', (_request, reply, done) => {
      done()
      void reply.code(504).send('too late')
    })
    const { url, passedOn, end } = await serveWaiting(passErrors)
    const answer = await fetch(url, { headers: { authorization } })
    expect([answer.status, await answer.text()]).toEqual([504, 'too late'])
    await end(revoked)
    expect(passedOn()).toBe(0)
  })

  it.each(ends)(
    'is left alone when it was written to the raw response and the request is %s',
    async (_, revoked, passErrors) => {
      app.addHook('onRequest', (_request, reply, done) => {
        done()
        reply.raw.writeHead(504, { 'content-length': 8 }).write('too ')
      })
      const { url, passedOn, end } = await serveWaiting(passErrors)
      const answer = await fetch(url, { headers: { authorization } })
      expect(answer.status).toBe(504)
      await end(revoked)
      expect(passedOn()).toBe(0)
    },
  )

  it.each([true, false])('is left alone when it was hijacked (refused: %s)', async (revoked) => {
    app.addHook('onRequest', (_request, reply, done) => {
      done()
      reply.hijack()
      reply.raw.end('hijacked')
    })
    const { url, passedOn, end } = await serveWaiting(false)
    expect(await (await fetch(url, { headers: { authorization } })).text()).toBe('hijacked')
    await end(revoked)
    expect(passedOn()).toBe(0)
  })
})

describe('a client that goes away while jwksAuth waits', () => {
  it.each(ends)('gets no handler run when the request is %s', async (_, revoked, passErrors) => {
    const gone = deferred<void>()
    app.addHook('onRequest', (_request, reply, done) => {
      reply.raw.on('close', () => gone.resolve())
      done()
    })
    const { url, passedOn, end, waits } = await serveWaiting(passErrors)
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`)
    await waits()
    socket.destroy()
    await gone.promise
    await end(revoked)
    expect(passedOn()).toBe(0)
  })
})

describe('a callback that throws', () => {
  const failure = Object.assign(new Error('the database is away'), { code: 'E_DATABASE' })
  const callbacks = ['isRevoked', 'getToken', 'validate'] as const

  it.each(callbacks)(
    'passes the error of %s to the error handler, for a first-time and a cached token',
    async (name) => {
      const seen: unknown[] = []
      app.setErrorHandler((error, _request, reply) => {
        seen.push(error)
        return reply.code(500).send()
      })
      const fail = () => {
        throw failure
      }
      await app.register(jwksAuth, { issuer: issuer.issuer, audience, requireHttps: false, [name]: fail })
      app.get('/', { preHandler: requireScopes('a') }, () => 'handled')
      for (const _ of [1, 2]) {
        expect((await app.inject({ url: '/', headers: { authorization } })).statusCode).toBe(500)
      }
      expect(seen).toEqual([failure, failure])
    },
  )
})

describe('an outcome that is a thenable and no Promise', () => {
  it('is waited for', async () => {
    await app.register(jwksAuth, { issuer: issuer.issuer, audience, requireHttps: false })
    const { authenticator } = app.jwksAuth
    const { authenticate } = authenticator
    vi.spyOn(authenticator, 'authenticate').mockImplementation((request) => {
      const promise = Promise.resolve(authenticate(request))
      const outcome: object = {}
      Reflect.set(outcome, 'then', promise.then.bind(promise))
      return outcome as typeof promise
    })
    app.get('/', (request) => request.auth?.claims.sub)
    expect((await app.inject({ url: '/', headers: { authorization } })).body).toBe('user-1')
  })
})

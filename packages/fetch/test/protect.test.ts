import {
  AuthenticatorNotRunError,
  createRegistry,
  getAuth,
  protect,
  RequestNotAuthenticatedError,
  requireScopes,
  tokenFromCookie,
  tokenFromQuery,
} from '@jwks-auth/fetch'
import { type Context, Hono, type Next } from 'hono'
import { describe, expect, it } from 'vitest'
import { audience, useWorld } from './world.ts'

const world = useWorld()
const who = (request: Request): Response => Response.json({ sub: getAuth(request).claims.sub })

/** The parts of a response that the table of responses decides. */
async function seen(response: Response): Promise<object> {
  const headers = ['content-type', 'cache-control', 'www-authenticate'].map((name) => response.headers.get(name))
  return { status: response.status, headers, body: await response.text() }
}

const missing = {
  status: 401,
  headers: ['application/json', 'no-store', 'Bearer realm="api"'],
  body: '{"error":"unauthorized","error_description":"A bearer token is required."}',
}

describe('a protected handler', () => {
  it('is called for a good token, with everything that the framework passes', async () => {
    // As Next.js calls a route handler.
    const GET = world.start()(async (request, { params }: { params: Promise<{ id: string }> }) => {
      const { id } = await params
      return Response.json({ id, sub: getAuth(request).claims.sub })
    })
    const response = await GET(world.request(), { params: Promise.resolve({ id: '7' }) })
    expect(await response.json()).toEqual({ id: '7', sub: expect.any(String) })
  })

  it('works with a proxy of a request, as Next.js makes one', async () => {
    const request = new Proxy(world.request(), {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const response = await world.start()(requireScopes('a')(who))(request)
    expect(response.status).toBe(200)
  })

  it('is not called without a token, and the response is that of the table', async () => {
    let called = 0
    const handler = world.start()(() => {
      called += 1
      return new Response()
    })
    expect(await seen(await handler(new Request('https://api.example/')))).toEqual(missing)
    expect(called).toBe(0)
  })

  it('is not called with two tokens in one header', async () => {
    const request = new Request('https://api.example/')
    for (let count = 0; count < 2; count += 1) request.headers.append('authorization', world.authorization)
    expect((await world.start()(who)(request)).status).toBe(400)
  })

  it('rejects with what it throws itself', async () => {
    const handler = world.start()(() => {
      throw new RangeError('broken')
    })
    await expect(handler(world.request())).rejects.toThrow(new RangeError('broken'))
  })

  it('rejects for anything else than a request, and with what a callback throws', async () => {
    await expect(world.start()(who)({} as never)).rejects.toThrow(TypeError)
    const failing = world.start({
      isRevoked: () => {
        throw new RangeError('broken')
      },
    })
    await expect(failing(who)(world.request())).rejects.toThrow(new RangeError('broken'))
  })

  it('keeps its body for the handler', async () => {
    const handler = world.start()(async (request) => new Response(await request.text()))
    const response = await handler(world.request(undefined, { method: 'POST', body: 'content' }))
    expect(await response.text()).toBe('content')
  })
})

describe('passErrors', () => {
  it('rejects with an error that is safe to send and that makes its own response', async () => {
    const error: unknown = await world
      .start({ passErrors: true })(who)(new Request('https://api.example/'))
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RequestNotAuthenticatedError)
    expect(error).toMatchObject({ status: 401, code: 'unauthorized', expose: true })
    expect(await seen((error as { getResponse(): Response }).getResponse())).toEqual(missing)
  })

  it('is answered by the error handler of Hono, its own or the application’s', async () => {
    const handler = world.start({ passErrors: true })(who)
    const app = new Hono().get('/', (c) => handler(c.req.raw))
    expect(await seen(await app.request('/'))).toEqual(missing)
    app.onError((error, c) => c.text(error instanceof RequestNotAuthenticatedError ? error.code : 'other', 418))
    expect(await (await app.request('/')).text()).toBe('unauthorized')
  })

  it('does not concern authenticateRequest, whose refusal is an outcome', async () => {
    const outcome = await world.start({ passErrors: true }).authenticateRequest(new Request('https://api.example/'))
    if (outcome.ok) throw new Error('accepted')
    expect(outcome.error.code).toBe('ERR_TOKEN_MISSING')
    expect(await seen(outcome.response)).toEqual(missing)
  })
})

describe('authenticateRequest', () => {
  it('authenticates for middleware of Hono, and guards and getAuth work behind it', async () => {
    const auth = world.start()
    const app = new Hono()
    app.use(async (c: Context, next: Next) => {
      const outcome = await auth.authenticateRequest(c.req.raw)
      return outcome.ok ? await next() : outcome.response
    })
    const orders = requireScopes('a')(who)
    const admin = requireScopes('admin')(who)
    app.get('/orders', (c) => orders(c.req.raw)).get('/admin', (c) => admin(c.req.raw))
    const url = await world.listen(app.fetch)
    const { authorization } = world
    const ask = async (path: string, headers = {}) => (await fetch(`${url}${path}`, { headers })).status
    expect(await ask('/orders', { authorization })).toBe(200)
    expect(await ask('/admin', { authorization })).toBe(403)
    expect(await ask('/orders')).toBe(401)
  })

  it('returns the verified token, also as the property of the request', async () => {
    const request = world.request()
    const outcome = await world.start({ property: 'client' }).authenticateRequest(request)
    expect(outcome).toMatchObject({ ok: true, auth: { tenant: 'default', scopes: new Set(['a', 'b']) } })
    expect(Reflect.get(request, 'client')).toBe(outcome.ok && outcome.auth)
    expect(getAuth(request)).toBe(Reflect.get(request, 'client'))
  })
})

describe('getAuth', () => {
  it('throws for a clone and for a request made from the authenticated one', async () => {
    const request = world.request()
    await world.start().authenticateRequest(request)
    expect(getAuth(request).tenant).toBe('default')
    for (const other of [request.clone(), new Request(request)]) {
      expect(() => getAuth(other)).toThrow(AuthenticatorNotRunError)
    }
  })

  it('refuses a request without a token where none is required, as a missing token is refused', async () => {
    const handler = world.start({ credentialsRequired: false })(who)
    expect(await seen(await handler(new Request('https://api.example/')))).toEqual(missing)
    const passing = world.start({ credentialsRequired: false, passErrors: true })(who)
    await expect(passing(new Request('https://api.example/'))).rejects.toThrow(RequestNotAuthenticatedError)
  })
})

describe('responses to tokens that are not in the Authorization header', () => {
  it.each<[string, () => Response]>([
    ['of the handler’s own', () => new Response('ok')],
    ['whose headers cannot be changed', () => Response.redirect('https://elsewhere.example/', 302)],
  ])('are private: one %s', async (_, respond) => {
    const token = world.authorization.replace('Bearer ', '')
    const auth = world.start({ getToken: [tokenFromQuery(), tokenFromCookie('session')] })
    const byQuery = await auth(respond)(new Request(`https://api.example/?access_token=${token}`))
    const byCookie = await auth(respond)(
      new Request('https://api.example/', { headers: { cookie: `session=${token}` } }),
    )
    const expected = respond()
    for (const response of [byQuery, byCookie]) {
      expect(response.headers.get('cache-control')).toBe('private')
      expect(response.status).toBe(expected.status)
      expect(response.headers.get('location')).toBe(expected.headers.get('location'))
    }
  })

  it('keep the Cache-Control that the handler has set', async () => {
    const auth = world.start({ getToken: tokenFromQuery() })
    const handler = auth(() => new Response('ok', { headers: { 'cache-control': 'no-store' } }))
    const token = world.authorization.replace('Bearer ', '')
    const response = await handler(new Request(`https://api.example/?access_token=${token}`))
    expect(response.headers.get('cache-control')).toBe('no-store')
  })
})

describe('protect', () => {
  it('throws a TypeError that names a wrong option', () => {
    expect(() => protect({ issuer: 'https://issuer.example', audience, passError: true } as never)).toThrow(
      /passErrors/,
    )
  })

  it('closes the registry that it created, and leaves a given one open', async () => {
    const own = world.start()
    await own.close()
    expect((await own(who)(world.request())).status).toBe(503)
    const registry = createRegistry({ requireHttps: false })
    const shared = protect({ issuer: world.issuer.issuer, audience, requireHttps: false, registry })
    expect(shared.registry).toBe(registry)
    await shared.close()
    expect(registry.statuses()).toHaveLength(1)
    await registry.close()
  })
})

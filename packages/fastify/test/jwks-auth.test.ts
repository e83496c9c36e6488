import type { AddressInfo } from 'node:net'
import {
  AuthenticatorNotRunError,
  authenticate,
  authenticateAs,
  createRegistry,
  getAuth,
  JwksAuthError,
  type JwksAuthOptions,
  jwksAuth,
  requireScopes,
} from '@jwks-auth/fastify'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

const audience = 'https://api.example'
let issuer: TestIssuer
let other: TestIssuer
let authorization: string
let options: { readonly issuer: string; readonly audience: string; readonly requireHttps: boolean }
let app: FastifyInstance

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  other = await createTestIssuer({ algorithm: 'ES256', audience })
  authorization = `Bearer ${await issuer.sign({ scope: 'a b' })}`
  options = { issuer: issuer.issuer, audience, requireHttps: false }
})
beforeEach(() => {
  app = fastify({ forceCloseConnections: true })
})
afterEach(async () => {
  await app.close()
})
afterAll(async () => {
  await Promise.all([issuer.close(), other.close()])
})

/** Sends a request over a real socket, with a good token or with none. */
async function statusOf(path: string, token?: string): Promise<number> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
  const address = app.server.address() as AddressInfo
  const headers: Record<string, string> = token === undefined ? {} : { authorization: token }
  return (await fetch(`http://127.0.0.1:${address.port}${path}`, { headers })).status
}

describe('jwksAuth in Fastify', () => {
  it('guards the routes of its scope, those registered before it and unknown paths included', async () => {
    app.get('/before', () => 'ok')
    await app.register(async (child) => {
      child.get('/child-before', () => 'ok')
    })
    await app.register(jwksAuth, options)
    app.get('/after', () => 'ok')
    await app.register(async (child) => {
      child.get('/child-after', () => 'ok')
    })
    for (const path of ['/before', '/child-before', '/after', '/child-after']) {
      expect([path, await statusOf(path)]).toEqual([path, 401])
      expect([path, await statusOf(path, authorization)]).toEqual([path, 200])
    }
    expect(await statusOf('/nowhere')).toBe(401)
    expect(await statusOf('/nowhere', authorization)).toBe(404)
  })

  it('guards nothing outside of its scope', async () => {
    await app.register(async (inner) => {
      await inner.register(jwksAuth, options)
      inner.get('/inner', () => 'ok')
    })
    await app.register(async (sibling) => {
      sibling.get('/sibling', () => 'ok')
    })
    app.get('/outer', () => 'ok')
    expect(await statusOf('/inner')).toBe(401)
    expect(await statusOf('/sibling')).toBe(200)
    expect(await statusOf('/outer')).toBe(200)
    expect(app.hasDecorator('authenticate')).toBe(false)
  })

  it('works with other options in a sibling scope', async () => {
    for (const [prefix, of] of [
      ['/one', issuer],
      ['/two', other],
    ] as const) {
      await app.register(
        async (scope) => {
          await scope.register(jwksAuth, { ...options, issuer: of.issuer })
          scope.get('/', (request) => request.auth?.claims.iss)
        },
        { prefix },
      )
    }
    expect(await statusOf('/one', authorization)).toBe(200)
    expect(await statusOf('/two', authorization)).toBe(401)
  })

  it('works with other options in an inner scope, in addition to those of the outer one', async () => {
    await app.register(jwksAuth, { ...options, global: false })
    app.get('/outer', { onRequest: app.authenticate }, () => 'ok')
    await app.register(async (inner) => {
      await inner.register(jwksAuth, { ...options, issuer: other.issuer })
      inner.get('/inner', () => 'ok')
    })
    expect(await statusOf('/outer', authorization)).toBe(200)
    expect(await statusOf('/inner', authorization)).toBe(401)
    expect(await statusOf('/inner', `Bearer ${await other.sign()}`)).toBe(200)
  })

  it('rejects a second registration in one scope with the same property', async () => {
    await app.register(jwksAuth, options)
    await expect(app.register(jwksAuth, options)).rejects.toMatchObject({ code: 'FST_ERR_DEC_ALREADY_PRESENT' })
  })

  it('guards only routes that opt in with global: false', async () => {
    await app.register(jwksAuth, { ...options, global: false })
    app.get('/open', (request) => ({ auth: request.auth ?? null }))
    app.get('/closed', { onRequest: app.authenticate }, () => 'ok')
    app.get('/scoped', { onRequest: app.authenticate, preHandler: requireScopes('a', 'c') }, () => 'ok')
    app.get('/early', { onRequest: [app.authenticate, requireScopes('a')] }, () => 'ok')
    app.get('/forgotten', { preHandler: requireScopes('a') }, () => 'ok')
    expect(await statusOf('/open')).toBe(200)
    expect(await statusOf('/closed')).toBe(401)
    expect(await statusOf('/closed', authorization)).toBe(200)
    expect(await statusOf('/scoped', authorization)).toBe(403)
    expect(await statusOf('/early', authorization)).toBe(200)
    expect(await statusOf('/forgotten', authorization)).toBe(500)
  })

  it('refuses before later hooks run and the body is read', async () => {
    const ran: string[] = []
    await app.register(jwksAuth, options)
    app.addHook('onRequest', async () => {
      ran.push('onRequest')
    })
    app.addHook('preParsing', async (_request, _reply, payload) => {
      ran.push('preParsing')
      return payload
    })
    // A response takes a while to leave here: no hook may run meanwhile.
    app.addHook('onSend', async (_request, _reply, payload) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return payload
    })
    app.get('/', () => 'ok')
    expect(await statusOf('/')).toBe(401)
    expect(ran).toEqual([])
    expect(await statusOf('/', authorization)).toBe(200)
    expect(ran).toEqual(['onRequest', 'preParsing'])
  })

  it('keeps headers that were set on the reply before it', async () => {
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('access-control-allow-origin', '*')
    })
    await app.register(jwksAuth, options)
    app.get('/', () => 'ok')
    const answer = await app.inject('/')
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*', 'content-type': 'application/json' })
  })

  it('exposes its registry, and closes it with the application', async () => {
    await app.register(jwksAuth, options)
    app.get('/', () => 'ok')
    await statusOf('/', authorization)
    const { registry } = app.jwksAuth
    expect(registry.status('default', 'default')).toMatchObject({ state: 'ready', kids: ['key-1'] })
    await app.close()
    await expect(registry.resolve('default', 'default')).rejects.toMatchObject({ code: 'ERR_REGISTRY_CLOSED' })
  })

  it('leaves a shared registry open', async () => {
    const registry = createRegistry({ requireHttps: false })
    await app.register(jwksAuth, { issuer: issuer.issuer, audience, registry })
    expect(app.jwksAuth.registry).toBe(registry)
    await app.close()
    await expect(registry.resolve('default', 'default')).resolves.toMatchObject({ keys: [{ kid: 'key-1' }] })
    await registry.close()
  })

  it.each([{ audiences: audience }, { global: 'no' }, { audience: undefined }])(
    'rejects with a TypeError for %o',
    async (wrong) => {
      const registering = app.register(jwksAuth, { ...options, ...wrong } as unknown as JwksAuthOptions)
      await expect(registering).rejects.toThrow(TypeError)
    },
  )

  it('passes refusals, those of guards too, to the error handler with passErrors', async () => {
    const seen: unknown[] = []
    app.setErrorHandler((error: { readonly status?: number }, _request, reply) => {
      seen.push(error)
      return reply.code(error.status ?? 500).send('shown')
    })
    await app.register(jwksAuth, { ...options, passErrors: true })
    app.get('/', { preHandler: requireScopes('c') }, () => 'ok')
    expect(await statusOf('/')).toBe(401)
    expect(await statusOf('/', authorization)).toBe(403)
    expect(seen.every((error) => error instanceof JwksAuthError)).toBe(true)
    expect(seen).toMatchObject([
      { status: 401, statusCode: 401, expose: true },
      { status: 403, statusCode: 403, expose: true, headers: { 'www-authenticate': expect.stringContaining('"c"') } },
    ])
  })

  it('passes errors of later handlers to the application’s error handler', async () => {
    await app.register(jwksAuth, options)
    app.setErrorHandler((_error, _request, reply) => reply.code(418).send())
    app.get('/', async () => await Promise.reject(new Error('later')))
    expect(await statusOf('/', authorization)).toBe(418)
  })
})

describe('the exported hook authenticate', () => {
  it('authenticates with the plugin of the route’s scope, also where the route was registered first', async () => {
    app.get('/before', { onRequest: authenticate }, (request) => request.auth?.claims.sub)
    void app.register(async (child) => {
      child.get('/child', { onRequest: [authenticate, requireScopes('a')] }, (request) => request.auth?.claims.sub)
    })
    void app.register(jwksAuth, { ...options, global: false })
    app.get('/after', { onRequest: authenticate }, (request) => request.auth?.claims.sub)
    app.get('/open', () => 'ok')
    for (const path of ['/before', '/child', '/after']) {
      expect([path, await statusOf(path)]).toEqual([path, 401])
      expect([path, await statusOf(path, authorization)]).toEqual([path, 200])
    }
    expect(await statusOf('/open')).toBe(200)
  })

  it('uses the plugin of the innermost scope', async () => {
    await app.register(jwksAuth, { ...options, global: false })
    await app.register(async (inner) => {
      inner.get('/inner', { onRequest: authenticate }, (request) => request.auth?.claims.iss)
      await inner.register(jwksAuth, { ...options, issuer: other.issuer, global: false })
    })
    expect(await statusOf('/inner', authorization)).toBe(401)
    expect(await statusOf('/inner', `Bearer ${await other.sign()}`)).toBe(200)
  })

  it('refuses with 500 where the plugin is not registered', async () => {
    app.get('/', { onRequest: authenticate }, () => 'open')
    await app.register(async (inner) => {
      await inner.register(jwksAuth, options)
    })
    const answer = await app.inject({ url: '/', headers: { authorization } })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toMatchObject({ error: 'server_error' })
  })
})

describe('fastify.authenticate where the plugin is not there yet', () => {
  const handler = () => 'open'
  /** What a route gets that reads the decorator too early; the types say that it is always there. */
  const tooEarly = (instance: FastifyInstance) => ({ onRequest: instance.authenticate })

  const mistakes: readonly (readonly [name: string, build: () => unknown])[] = [
    [
      'the registration is not awaited',
      () => {
        void app.register(jwksAuth, { ...options, global: false })
        app.get('/me', tooEarly(app), handler)
      },
    ],
    [
      'the plugin is registered after the route',
      async () => {
        app.get('/me', tooEarly(app), handler)
        await app.register(jwksAuth, { ...options, global: false })
      },
    ],
    [
      'the plugin is registered after the scope of the route',
      async () => {
        await app.register(async (child) => {
          child.get('/me', tooEarly(child), handler)
        })
        await app.register(jwksAuth, { ...options, global: false })
      },
    ],
    [
      'the plugin is registered in a scope within',
      async () => {
        await app.register(async (child) => {
          await child.register(jwksAuth, options)
        })
        app.get('/me', tooEarly(app), handler)
      },
    ],
    [
      'the hook is another one',
      async () => {
        app.route({ method: ['GET', 'HEAD'], url: '/me', preHandler: app.authenticate, handler })
        await app.register(jwksAuth, { ...options, global: false })
      },
    ],
  ]

  it.each(mistakes)('fails at start when %s', async (_, build) => {
    await build()
    await expect(app.ready()).rejects.toThrow(
      /^(?:onRequest|preHandler) of GET(?:,HEAD)? \/me is undefined, so the route/,
    )
  })

  /** Options in which a hook is present and undefined. */
  const unset = (name: string): object => ({ [name]: undefined })
  const sound: readonly (readonly [name: string, build: () => unknown])[] = [
    [
      'routes without the option',
      async () => {
        app.get('/me', handler)
        await app.register(jwksAuth, { ...options, global: false })
      },
    ],
    [
      'an undefined hook after the registration',
      async () => {
        await app.register(jwksAuth, { ...options, global: false })
        app.get('/me', unset('onRequest'), handler)
      },
    ],
    [
      'an undefined hook of a route that the plugin guards',
      async () => {
        app.get('/me', unset('onRequest'), handler)
        await app.register(jwksAuth, options)
      },
    ],
    [
      'an undefined hook in a sibling scope',
      async () => {
        await app.register(async (child) => {
          await child.register(jwksAuth, options)
        })
        await app.register(async (child) => {
          child.get('/me', unset('preHandler'), handler)
        })
      },
    ],
    [
      'an undefined hook in an application without the plugin',
      () => {
        app.get('/me', unset('onRequest'), handler)
      },
    ],
  ]

  it.each(sound)('starts with %s', async (_, build) => {
    await build()
    await expect(app.ready()).resolves.toBeDefined()
  })
})

describe('the option property', () => {
  it('names the property of the request', async () => {
    await app.register(jwksAuth, { ...options, property: 'client' })
    app.get('/', { preHandler: requireScopes('a') }, (request) => Reflect.get(request, 'client')?.claims.sub)
    expect((await app.inject({ url: '/', headers: { authorization } })).body).toBe('user-1')
    expect(app.hasRequestDecorator('auth')).toBe(false)
  })

  it('tells two registrations on one instance apart', async () => {
    await app.register(jwksAuth, { ...options, property: 'client' })
    const getToken: JwksAuthOptions['getToken'] = ({ headers }) => headers['x-user-token']?.toString()
    await app.register(jwksAuth, { ...options, issuer: other.issuer, getToken })
    app.get('/', (request) => [
      Reflect.get(request, 'client')?.claims.iss,
      request.auth?.claims.iss,
      getAuth(request).claims.iss,
    ])
    const headers = { authorization, 'x-user-token': await other.sign() }
    const answer = await app.inject({ url: '/', headers })
    expect(answer.json()).toEqual([issuer.issuer, other.issuer, other.issuer])
    expect((await app.inject({ url: '/', headers: { authorization } })).statusCode).toBe(401)
    const { registrations, registry } = app.jwksAuth
    expect([...registrations.keys()]).toEqual(['client', 'auth'])
    expect(registrations.get('client')?.registry).toBe(registry)
    await app.close()
    for (const registration of registrations.values()) {
      await expect(registration.registry.resolve('default', 'default')).rejects.toMatchObject({
        code: 'ERR_REGISTRY_CLOSED',
      })
    }
  })

  it('lets routes opt in to each of two registrations', async () => {
    await app.register(jwksAuth, { ...options, global: false })
    await app.register(jwksAuth, { ...options, issuer: other.issuer, property: 'partner', global: false })
    app.get('/own', { onRequest: authenticate }, (request) => request.auth?.claims.iss)
    app.get('/partner', { onRequest: authenticateAs('partner') }, (request) => Reflect.has(request, 'partner'))
    app.get('/anonymous', { onRequest: authenticateAs('anonymous') }, () => 'open')
    await app.register(async (inner) => {
      await inner.register(jwksAuth, { ...options, property: 'third', global: false })
      inner.get('/inner/partner', { onRequest: authenticateAs('partner') }, () => 'ok')
      inner.get('/inner/third', { onRequest: authenticate }, () => 'ok')
    })
    expect(await statusOf('/anonymous', authorization)).toBe(500)
    expect(await statusOf('/inner/partner', authorization)).toBe(401)
    expect(await statusOf('/inner/third', authorization)).toBe(200)
    expect(await statusOf('/own', authorization)).toBe(200)
    expect(await statusOf('/partner', authorization)).toBe(401)
    expect(await statusOf('/partner', `Bearer ${await other.sign()}`)).toBe(200)
  })

  it('lets an optional and a required registration share a scope', async () => {
    const getToken: JwksAuthOptions['getToken'] = ({ headers }) => headers['x-user-token']?.toString()
    await app.register(jwksAuth, { ...options, property: 'visitor', credentialsRequired: false, getToken })
    await app.register(jwksAuth, { ...options, issuer: other.issuer })
    app.get('/', (request) => [Reflect.get(request, 'visitor')?.claims.sub ?? null, getAuth(request).claims.sub])
    const service = `Bearer ${await other.sign({ sub: 'service' })}`
    const visitor = authorization.slice('Bearer '.length)
    expect((await app.inject({ url: '/', headers: { authorization: service } })).json()).toEqual([null, 'service'])
    const both = await app.inject({ url: '/', headers: { authorization: service, 'x-user-token': visitor } })
    expect(both.json()).toEqual(['user-1', 'service'])
    expect((await app.inject({ url: '/', headers: { 'x-user-token': visitor } })).statusCode).toBe(401)
    expect((await app.inject({ url: '/', headers: { authorization: service, 'x-user-token': 'x' } })).statusCode).toBe(
      401,
    )
  })

  it.each([7, '', null])('must not be %j', async (property) => {
    const registering = app.register(jwksAuth, { ...options, property: property as never })
    await expect(registering).rejects.toThrow(/^property must be a non-empty string/)
  })

  it.each(['headers', 'url', 'user'])('must not be a name that requests have already: %s', async (property) => {
    app.decorateRequest('user', null)
    const registering = app.register(jwksAuth, { ...options, property })
    await expect(registering).rejects.toThrow(`property must not be ${property}: requests have that`)
  })
})

describe('an application with decorators of its own', () => {
  it('keeps its authenticate, and routes are guarded by the exported hook', async () => {
    const own = vi.fn<() => Promise<void>>(async () => undefined)
    app.decorate('authenticate', own as never)
    await app.register(jwksAuth, { ...options, global: false })
    app.get('/ours', { onRequest: authenticate }, () => 'ok')
    app.get('/theirs', { onRequest: app.authenticate }, () => 'ok')
    expect(await statusOf('/ours')).toBe(401)
    expect(await statusOf('/ours', authorization)).toBe(200)
    expect(own).not.toHaveBeenCalled()
    expect(await statusOf('/theirs')).toBe(200)
    expect(own).toHaveBeenCalledOnce()
  })

  it('is told to choose another property where its requests have auth, which then works', async () => {
    app.decorateRequest('auth', undefined)
    await expect(app.register(jwksAuth, options)).rejects.toThrow('property must not be auth: requests have that')
    app = fastify({ forceCloseConnections: true })
    app.decorateRequest('auth', undefined)
    app.decorate('auth', () => undefined)
    await app.register(jwksAuth, { ...options, property: 'client' })
    app.get('/', (request) => getAuth(request).claims.sub)
    expect(await statusOf('/', authorization)).toBe(200)
    expect(await statusOf('/')).toBe(401)
  })
})

describe('getAuth', () => {
  it('returns who is calling', async () => {
    await app.register(jwksAuth, options)
    app.get('/', (request) => getAuth(request).claims.sub)
    expect((await app.inject({ url: '/', headers: { authorization } })).body).toBe('user-1')
  })

  it('throws where no jwksAuth ran, which the framework answers with 500', async () => {
    const seen: unknown[] = []
    app.addHook('onError', async (_request, _reply, error) => {
      seen.push(error)
    })
    app.get('/', (request) => getAuth(request).claims.sub)
    expect((await app.inject('/')).statusCode).toBe(500)
    expect(seen).toEqual([expect.any(AuthenticatorNotRunError)])
  })

  it('throws for an anonymous request, which the framework answers with 401 and the challenge', async () => {
    await app.register(jwksAuth, { ...options, credentialsRequired: false })
    app.get('/', (request) => getAuth(request).claims.sub)
    const { statusCode, headers } = await app.inject('/')
    expect([statusCode, headers['www-authenticate']]).toEqual([401, 'Bearer realm="api"'])
  })
})

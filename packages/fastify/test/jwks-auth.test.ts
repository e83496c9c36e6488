import type { AddressInfo } from 'node:net'
import { createRegistry, JwksAuthError, type JwksAuthOptions, jwksAuth, requireScopes } from '@jwks-auth/fastify'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

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
  it('guards the routes of its scope, those registered before it too, and what nobody serves', async () => {
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

  it('has scopes with other options beside one another', async () => {
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

  it('has scopes with other options within one another: the inner one comes on top', async () => {
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

  it('refuses to be registered twice in one scope', async () => {
    await app.register(jwksAuth, options)
    await expect(app.register(jwksAuth, options)).rejects.toMatchObject({ code: 'FST_ERR_DEC_ALREADY_PRESENT' })
  })

  it('with global: false leaves it to each route', async () => {
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

  it('refuses before later hooks and the body are looked at', async () => {
    const ran: string[] = []
    await app.register(jwksAuth, options)
    app.addHook('onRequest', async () => {
      ran.push('onRequest')
    })
    app.addHook('preParsing', async (_request, _reply, payload) => {
      ran.push('preParsing')
      return payload
    })
    // An answer takes a while to leave here: nothing may go on meanwhile.
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

  it('keeps what was set on the reply before it', async () => {
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('access-control-allow-origin', '*')
    })
    await app.register(jwksAuth, options)
    app.get('/', () => 'ok')
    const answer = await app.inject('/')
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*', 'content-type': 'application/json' })
  })

  it('shows its registry, and closes it with the application', async () => {
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

  it('hands errors on where told to, those of guards too', async () => {
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
    expect(seen).toMatchObject([{ code: 'ERR_TOKEN_MISSING' }, { code: 'ERR_SCOPE_MISSING', requiredScopes: ['c'] }])
  })

  it('leaves errors of later handlers to the application', async () => {
    await app.register(jwksAuth, options)
    app.setErrorHandler((_error, _request, reply) => reply.code(418).send())
    app.get('/', async () => await Promise.reject(new Error('later')))
    expect(await statusOf('/', authorization)).toBe(418)
  })
})

import {
  AuthenticatorNotRunError,
  createRegistry,
  getAuth,
  JwksAuthError,
  type JwksAuthOptions,
  jwksAuth,
  requireScopes,
} from '@jwks-auth/koa'
import { describe, expect, it } from 'vitest'
import { audience, koas, useWorld } from './world.ts'

const world = useWorld()

describe.each(koas)('jwksAuth in %s', (_, Koa) => {
  it('sets ctx.state.auth', async () => {
    const app = new Koa().use(world.start()).use((ctx) => {
      ctx.body = [ctx.state.auth?.tenant, ctx.state.auth?.claims.sub, ctx.state.auth?.scopes.has('b')]
    })
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(await answer.json()).toEqual(['default', 'user-1', true])
  })

  it('exposes its registry, and closes it', async () => {
    const middleware = world.start()
    const url = await world.listen(new Koa().use(middleware))
    await fetch(url, { headers: { authorization: world.authorization } })
    expect(middleware.registry.status('default', 'default')).toMatchObject({ state: 'ready', kids: ['key-1'] })
    await middleware.close()
    await expect(middleware.registry.resolve('default', 'default')).rejects.toMatchObject({
      code: 'ERR_REGISTRY_CLOSED',
    })
  })

  it('leaves a shared registry open', async () => {
    const registry = createRegistry({ requireHttps: false })
    world.closing.push(() => registry.close())
    const middleware = jwksAuth({ issuer: world.issuer.issuer, audience, registry })
    expect(middleware.registry).toBe(registry)
    await middleware.close()
    await expect(registry.resolve('default', 'default')).resolves.toMatchObject({ keys: [{ kid: 'key-1' }] })
  })

  it('throws a TypeError for a wrong option when the middleware is created', () => {
    const misspelt = { issuer: world.issuer.issuer, audiences: audience } as unknown as JwksAuthOptions
    expect(() => jwksAuth(misspelt)).toThrow(TypeError)
  })

  it('passes errors of later middleware to those before it', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      try {
        await next()
      } catch (error) {
        ctx.status = 500
        ctx.body = `shown: ${(error as Error).message}`
      }
    })
    app.use(world.start()).use(async () => await Promise.reject(new Error('later')))
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect([answer.status, await answer.text()]).toEqual([500, 'shown: later'])
  })

  it('lets middleware before it change a refusal', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next()
      ctx.set('x-refused', String(ctx.status))
    })
    const { headers } = await fetch(await world.listen(app.use(world.start())))
    expect(headers.get('x-refused')).toBe('401')
  })

  it('throws refusals, those of guards too, with passErrors', async () => {
    const seen: unknown[] = []
    const app = new Koa()
    app.use(async (_ctx, next) => {
      try {
        await next()
      } catch (error) {
        seen.push(error)
        throw error
      }
    })
    app.silent = true
    const url = await world.listen(app.use(world.start({ passErrors: true })).use(requireScopes('c')))
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { headers: { authorization: world.authorization } })).status).toBe(403)
    expect(seen.every((error) => error instanceof JwksAuthError)).toBe(true)
    expect(seen).toMatchObject([
      { status: 401, statusCode: 401, expose: true },
      { status: 403, statusCode: 403, expose: true, headers: { 'www-authenticate': expect.stringContaining('"c"') } },
    ])
  })
})

describe.each(koas)('the option property in %s', (_, Koa) => {
  it('names the property of ctx.state, and leaves ctx.state.auth alone', async () => {
    const app = new Koa().use(world.start({ property: 'client' })).use(requireScopes('a'))
    app.use((ctx) => {
      ctx.body = [Reflect.get(ctx.state, 'client').claims.sub, Object.hasOwn(ctx.state, 'auth')]
    })
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(await answer.json()).toEqual(['user-1', false])
  })

  it.each([7, '', null])('must not be %j', (property) => {
    const { issuer } = world.issuer
    expect(() => jwksAuth({ issuer, audience, requireHttps: false, property: property as never })).toThrow(
      /^property must be a non-empty string/,
    )
  })
})

describe.each(koas)('getAuth in %s', (_, Koa) => {
  it('returns who is calling', async () => {
    const app = new Koa().use(world.start()).use((ctx) => {
      ctx.body = getAuth(ctx).claims.sub
    })
    const answer = await fetch(await world.listen(app), { headers: { authorization: world.authorization } })
    expect(await answer.text()).toBe('user-1')
  })

  it('throws where no jwksAuth ran, which the framework answers with 500', async () => {
    const seen: unknown[] = []
    const app = new Koa().use((ctx) => {
      ctx.body = getAuth(ctx)
    })
    app.on('error', (error) => seen.push(error))
    expect((await fetch(await world.listen(app))).status).toBe(500)
    expect(seen).toEqual([expect.any(AuthenticatorNotRunError)])
  })

  it('throws for an anonymous request, which the framework answers with 401 and the challenge', async () => {
    const app = new Koa().use(world.start({ credentialsRequired: false })).use((ctx) => {
      ctx.body = getAuth(ctx)
    })
    const answer = await fetch(await world.listen(app))
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="api"'])
  })
})

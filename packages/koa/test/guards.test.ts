import { requireClaims, requireScopes } from '@jwks-auth/koa'
import Router from '@koa/router'
import { describe, expect, it } from 'vitest'
import { koas, useWorld } from './world.ts'

const world = useWorld()

/** The scopes that the challenge of a refusal names. */
async function scopesNamed(
  url: string,
  method = 'GET',
): Promise<readonly [status: number, scopes: string | undefined]> {
  const { status, headers } = await fetch(url, { method, headers: { authorization: world.authorization } })
  return [status, /scope="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]]
}

describe.each(koas)('the challenge in %s', (_, Koa) => {
  it('names the scopes of guards that follow one another in an application, up to another middleware', async () => {
    const app = new Koa().use(world.start()).use(requireScopes('c')).use(requireScopes('d'))
    app.use((_ctx, next) => next()).use(requireScopes('e'))
    expect(await scopesNamed(await world.listen(app))).toEqual([403, 'c d'])
  })

  it('names the scopes of guards that were passed', async () => {
    const app = new Koa().use(world.start()).use(requireScopes('a'))
    app.use((ctx, next) => (ctx.path === '/x' ? requireScopes('c')(ctx, next) : next()))
    expect(await scopesNamed(`${await world.listen(app)}/x`)).toEqual([403, 'a c'])
  })

  it('names the scopes of a route of @koa/router, its routers around it and no other method', async () => {
    const nested = new Router()
    nested.get('/x', requireScopes('c'), requireScopes('d'), (ctx) => {
      ctx.body = 'ok'
    })
    nested.post('/x', requireScopes('write'), (ctx) => {
      ctx.body = 'ok'
    })
    const router = new Router({ prefix: '/api' })
    router.use(requireScopes('outer'))
    router.use(nested.routes())
    const url = await world.listen(new Koa().use(world.start()).use(router.routes()))
    expect(await scopesNamed(`${url}/api/x`)).toEqual([403, 'outer c d'])
    expect(await scopesNamed(`${url}/api/x`, 'HEAD')).toEqual([403, 'outer c d'])
    expect(await scopesNamed(`${url}/api/x`, 'POST')).toEqual([403, 'outer write'])
  })
})

describe.each(koas)('a guard in %s', (_, Koa) => {
  it('rejects with what its function throws, and never throws it', async () => {
    const seen: unknown[] = []
    const app = new Koa().use(world.start())
    const broken = requireClaims(() => {
      throw new Error('broken')
    })
    app.use(async (ctx, next) => {
      const result = broken(ctx, next)
      seen.push(await result.catch((error: unknown) => error))
      ctx.body = 'ok'
    })
    await scopesNamed(await world.listen(app))
    expect(seen).toEqual([new Error('broken')])
  })
})

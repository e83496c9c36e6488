import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  createRegistry,
  JwksAuthError,
  type JwksAuthMiddleware,
  type JwksAuthOptions,
  jwksAuth,
  requireScopes,
} from '@jwks-auth/koa'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import Koa3 from 'koa'
import Koa2 from 'koa2'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const audience = 'https://api.example'
let issuer: TestIssuer
let authorization: string
let options: { readonly issuer: string; readonly audience: string; readonly requireHttps: boolean }
type RequestOptions = Pick<JwksAuthOptions, 'passErrors'>
const closing: (() => unknown)[] = []

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  authorization = `Bearer ${await issuer.sign({ scope: 'a b' })}`
  options = { issuer: issuer.issuer, audience, requireHttps: false }
})
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})
afterAll(async () => {
  await issuer.close()
})

/** A middleware that is closed after the test. */
function start(more: RequestOptions = {}): JwksAuthMiddleware {
  const middleware = jwksAuth({ ...options, ...more })
  closing.push(() => middleware.close())
  return middleware
}

async function listen(app: { callback(): Parameters<typeof createServer>[1] }): Promise<string> {
  const server = createServer({}, app.callback()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe.each([
  // The types of 2 say the same of what is used here.
  ['Koa 2', Koa2 as unknown as typeof Koa3],
  ['Koa 3', Koa3],
])('jwksAuth in %s', (_, Koa) => {
  it('attaches what the token says to ctx.state', async () => {
    const app = new Koa().use(start()).use((ctx) => {
      ctx.body = [ctx.state.auth?.tenant, ctx.state.auth?.claims.sub, ctx.state.auth?.scopes.has('b')]
    })
    const answer = await fetch(await listen(app), { headers: { authorization } })
    expect(await answer.json()).toEqual(['default', 'user-1', true])
  })

  it('carries the registry that it was made with, and closes it', async () => {
    const middleware = start()
    const url = await listen(new Koa().use(middleware))
    await fetch(url, { headers: { authorization } })
    expect(middleware.registry.status('default', 'default')).toMatchObject({ state: 'ready', kids: ['key-1'] })
    await middleware.close()
    await expect(middleware.registry.resolve('default', 'default')).rejects.toMatchObject({
      code: 'ERR_REGISTRY_CLOSED',
    })
  })

  it('leaves a shared registry open', async () => {
    const registry = createRegistry({ requireHttps: false })
    closing.push(() => registry.close())
    const middleware = jwksAuth({ issuer: issuer.issuer, audience, registry })
    expect(middleware.registry).toBe(registry)
    await middleware.close()
    await expect(registry.resolve('default', 'default')).resolves.toMatchObject({ keys: [{ kid: 'key-1' }] })
  })

  it('throws a TypeError for a wrong option when it is made', () => {
    const misspelt = { issuer: issuer.issuer, audiences: audience } as unknown as JwksAuthOptions
    expect(() => jwksAuth(misspelt)).toThrow(TypeError)
  })

  it('leaves errors of later middleware to those before it', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      try {
        await next()
      } catch (error) {
        ctx.status = 500
        ctx.body = `shown: ${(error as Error).message}`
      }
    })
    app.use(start()).use(async () => await Promise.reject(new Error('later')))
    const answer = await fetch(await listen(app), { headers: { authorization } })
    expect([answer.status, await answer.text()]).toEqual([500, 'shown: later'])
  })

  it('lets middleware before it change a refusal', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next()
      ctx.set('x-refused', String(ctx.status))
    })
    const { headers } = await fetch(await listen(app.use(start())))
    expect(headers.get('x-refused')).toBe('401')
  })

  it('hands errors on where told to, those of guards too', async () => {
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
    const url = await listen(app.use(start({ passErrors: true })).use(requireScopes('c')))
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { headers: { authorization } })).status).toBe(403)
    expect(seen.every((error) => error instanceof JwksAuthError)).toBe(true)
    expect(seen).toMatchObject([{ code: 'ERR_TOKEN_MISSING' }, { code: 'ERR_SCOPE_MISSING', requiredScopes: ['c'] }])
  })
})

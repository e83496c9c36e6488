import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AccessTokenClaims, type JwksAuthMiddleware, jwksAuth, type RequestOptions } from '@jwks-auth/koa'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import Koa3 from 'koa'
import Koa2 from 'koa2'
import { afterAll, afterEach, beforeAll } from 'vitest'

export const audience = 'https://api.example'

/** The versions that are supported, by name. */
export const koas: readonly (readonly [name: string, koa: typeof Koa3])[] = [
  // The types of 2 are the same for what is used here.
  ['Koa 2', Koa2 as unknown as typeof Koa3],
  ['Koa 3', Koa3],
]

/** An issuer, one of its tokens, and functions to serve an application; all closed after the tests. */
export interface World {
  issuer: TestIssuer
  /** A header whose token has the scopes `a` and `b`. */
  authorization: string
  /** Functions that are called after each test. */
  readonly closing: (() => unknown)[]
  /** A middleware that is closed after the test. */
  start(more?: RequestOptions<AccessTokenClaims>): JwksAuthMiddleware
  /** Serves an application until the end of the test; resolves to its address. */
  listen(app: { callback(): Parameters<typeof createServer>[1] }): Promise<string>
}

/** Creates the world for the tests of a file. */
export function useWorld(): World {
  const world: World = {
    issuer: undefined as never,
    authorization: '',
    closing: [],
    start(more = {}) {
      const middleware = jwksAuth({ issuer: world.issuer.issuer, audience, requireHttps: false, ...more })
      world.closing.push(() => middleware.close())
      return middleware
    },
    async listen(app) {
      const server = createServer({}, app.callback()).listen(0, '127.0.0.1')
      await once(server, 'listening')
      world.closing.push(() => {
        server.closeAllConnections()
        server.close()
      })
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
  }
  beforeAll(async () => {
    world.issuer = await createTestIssuer({ algorithm: 'ES256', audience })
    world.authorization = `Bearer ${await world.issuer.sign({ scope: 'a b' })}`
  })
  afterEach(async () => {
    await Promise.all(world.closing.splice(0).map((close) => close()))
  })
  afterAll(async () => {
    await world.issuer.close()
  })
  return world
}

import type { RequestListener } from 'node:http'
import { type AccessTokenClaims, type JwksAuthMiddleware, jwksAuth, type RequestOptions } from '@jwks-auth/koa'
import { type MiddlewareTests, useMiddleware } from '@jwks-auth/test-support/middleware'
import Koa3 from 'koa'
import Koa2 from 'koa2'

export { audience } from '@jwks-auth/test-support/start'

/** The versions that are supported, by name. */
export const koas: readonly (readonly [name: string, koa: typeof Koa3])[] = [
  // The types of 2 are the same for what is used here.
  ['Koa 2', Koa2 as unknown as typeof Koa3],
  ['Koa 3', Koa3],
]

interface KoaApplication {
  callback(): RequestListener
}

/** Prepares the tests of a file. */
export function useWorld(): MiddlewareTests<KoaApplication, RequestOptions<AccessTokenClaims>, JwksAuthMiddleware> {
  return useMiddleware(jwksAuth, (app: KoaApplication) => app.callback())
}

import type { RequestListener } from 'node:http'
import { type AccessTokenClaims, type JwksAuthMiddleware, jwksAuth, type RequestOptions } from '@jwks-auth/express'
import { type MiddlewareTests, useMiddleware } from '@jwks-auth/test-support/middleware'
import express5 from 'express'
import express4 from 'express4'

export { audience } from '@jwks-auth/test-support/start'

/** The versions that are supported, by name. */
export const expresses: readonly (readonly [name: string, express: typeof express5])[] = [
  // The types of 4 are the same for what is used here.
  ['Express 4', express4 as unknown as typeof express5],
  ['Express 5', express5],
]

/** Prepares the tests of a file. */
export function useWorld(): MiddlewareTests<RequestListener, RequestOptions<AccessTokenClaims>, JwksAuthMiddleware> {
  return useMiddleware(jwksAuth, (app: RequestListener) => app)
}

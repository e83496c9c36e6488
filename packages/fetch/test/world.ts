import { type AccessTokenClaims, type Protect, protect, type RequestOptions } from '@jwks-auth/fetch'
import { type MiddlewareTests, useMiddleware } from '@jwks-auth/test-support/middleware'
import { type FetchCallback, fetchListener } from './fetch-listener.ts'

export { audience } from '@jwks-auth/test-support/start'

/** What tests of handlers need; `start` returns what protects them. */
export interface World extends MiddlewareTests<FetchCallback, RequestOptions<AccessTokenClaims>, Protect> {
  /** A request with the token. */
  request(url?: string, init?: RequestInit): Request
}

/** Prepares the tests of a file. */
export function useWorld(): World {
  const tests = useMiddleware<FetchCallback, RequestOptions<AccessTokenClaims>, Protect>(protect, fetchListener)
  return Object.assign(tests, {
    request(url = 'https://api.example/orders', init: RequestInit = {}) {
      const request = new Request(url, init)
      request.headers.set('authorization', tests.authorization)
      return request
    },
  })
}

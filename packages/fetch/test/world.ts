import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AccessTokenClaims, type Protect, protect, type RequestOptions } from '@jwks-auth/fetch'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type FetchCallback, fetchListener } from './fetch-listener.ts'

export const audience = 'https://api.example'

/** An issuer, one of its tokens, and functions to serve handlers; all closed after the tests. */
export interface World {
  issuer: TestIssuer
  /** A header whose token has the scopes `a` and `b`. */
  authorization: string
  /** What protects handlers, closed after the test. */
  start(more?: RequestOptions<AccessTokenClaims>): Protect
  /** A request with the token. */
  request(url?: string, init?: RequestInit): Request
  /** Serves a handler on Node until the end of the test; resolves to its address. */
  listen(handler: FetchCallback): Promise<string>
}

/** Creates the world for the tests of a file. */
export function useWorld(): World {
  const closing: (() => unknown)[] = []
  const world: World = {
    issuer: undefined as never,
    authorization: '',
    start(more = {}) {
      const auth = protect({ issuer: world.issuer.issuer, audience, requireHttps: false, ...more })
      closing.push(() => auth.close())
      return auth
    },
    request(url = 'https://api.example/orders', init = {}) {
      const request = new Request(url, init)
      request.headers.set('authorization', world.authorization)
      return request
    },
    async listen(handler) {
      const server = createServer(fetchListener(handler)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      closing.push(() => {
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
    await Promise.all(closing.splice(0).map((close) => close()))
  })
  afterAll(async () => {
    await world.issuer.close()
  })
  return world
}

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { audience } from './start.ts'

/** An issuer, one of its tokens, and functions to serve an application; all closed after the tests. */
export interface MiddlewareTests<App, Options, Middleware> {
  issuer: TestIssuer
  /** A header whose token has the scopes `a` and `b`. */
  authorization: string
  /** Functions that are called after each test. */
  readonly closing: (() => unknown)[]
  /** A middleware that is closed after the test. */
  start(more?: Options): Middleware
  /** Serves an application until the end of the test; resolves to its address. */
  listen(app: App): Promise<string>
}

/**
 * Prepares the tests of a file.
 *
 * @param createMiddleware the adapter's function, called with the issuer's options and those of the test
 * @param listenerOf the handler of an application's requests
 */
export function useMiddleware<App, Options extends object, Middleware extends { close(): unknown }>(
  createMiddleware: (options: Options & { issuer: string; audience: string; requireHttps: boolean }) => Middleware,
  listenerOf: (app: App) => RequestListener,
): MiddlewareTests<App, Options, Middleware> {
  const tests: MiddlewareTests<App, Options, Middleware> = {
    issuer: undefined as never,
    authorization: '',
    closing: [],
    start(more) {
      const own = { issuer: tests.issuer.issuer, audience, requireHttps: false }
      const middleware = createMiddleware({ ...own, ...(more as Options) })
      tests.closing.push(() => middleware.close())
      return middleware
    },
    async listen(app) {
      const server = createServer(listenerOf(app)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      tests.closing.push(() => {
        server.closeAllConnections()
        server.close()
      })
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
  }
  beforeAll(async () => {
    tests.issuer = await createTestIssuer({ algorithm: 'ES256', audience })
    tests.authorization = `Bearer ${await tests.issuer.sign({ scope: 'a b' })}`
  })
  afterEach(async () => {
    await Promise.all(tests.closing.splice(0).map((close) => close()))
  })
  afterAll(async () => {
    await tests.issuer.close()
  })
  return tests
}

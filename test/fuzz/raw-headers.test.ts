import assert from 'node:assert/strict'
import { tenantFromHeader, tokenFromCookie, tokenFromHeader } from '@jwks-auth/core'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { expressFive, expressFour } from '../contract/express-app.ts'
import { fastifyFive } from '../contract/fastify-app.ts'
import { koaThree } from '../contract/koa-app.ts'
import { sendRaw } from '../contract/raw-request.ts'
import { fragments, headerValue } from './arbitraries.ts'
import { overSockets, timeout } from './runs.ts'

/** Pieces of the values of each header that authentication reads. */
const words: Readonly<Record<string, readonly string[]>> = {
  Host: ['api.example', 'acme.', '[::1]', '@', ':443', ':', '..', '/', '%', 'xn--'],
  'X-Tenant': ['acme', 'globex', '__proto__', 'constructor', ',', ' ', '/', '..', '%2e'],
  Cookie: ['token=', 'token', ';', '; ', '=', '"', 'eyJhbGciOiJFUzI1NiJ9.e30.AA', '__proto__=1', ','],
  Authorization: ['Bearer ', 'Basic ', 'eyJhbGciOiJFUzI1NiJ9.e30.AA', ',', 'DPoP '],
  'Sec-Fetch-Site': ['same-origin', 'cross-site', 'none', ','],
  Origin: ['https://api.example', 'null', 'http://', ','],
  Upgrade: ['websocket', 'h2c', ','],
  'X-Forwarded-Host': ['api.example', 'evil.example', ','],
}

const header = fc.constantFrom(...Object.keys(words)).chain((name) => {
  const value = fc.oneof({ weight: 3, arbitrary: fragments(words[name] ?? [], headerValue(8)) }, headerValue(80))
  return value.map((text): [string, string] => [name, text])
})
const target = fc.oneof(
  fc.constantFrom('/who', '/orders', '//who', '/who?token=a', '/tenants/acme/who', '/tenants/%2e%2e/who', '*'),
  fc.constantFrom('http://other.example/who', 'acme', '/tenants/a%2fb/who', '/who#a', '/who?token=a&token=b'),
)
const method = fc.constantFrom('GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE')

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'https://api.example' })
})
afterAll(() => issuer.close())

describe.each([expressFour, expressFive, koaThree, fastifyFive])(
  'a raw request to $name with any header fields',
  (framework) => {
    it('reaches no handler without a token, and fails nowhere', { timeout }, async () => {
      const provider = { issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience: 'https://api.example' }
      const app = await framework.start({
        auth: {
          requireHttps: false,
          tenant: tenantFromHeader('x-tenant'),
          tenants: { acme: provider },
          getToken: [tokenFromHeader(), tokenFromCookie('token')],
        },
      })
      try {
        await fc.assert(
          fc.asyncProperty(method, target, fc.array(header, { maxLength: 6 }), async (verb, path, headers) => {
            const { status } = await sendRaw(app.port, { method: verb, target: path, headers })
            // The server refuses what is no HTTP, the router what it has no route for, and the rest is ours to refuse.
            assert(status >= 400 && status < 500, `status ${status}`)
            assert.equal(app.handled(), 0)
          }),
          overSockets,
        )
      } finally {
        await app.close()
      }
    })
  },
)

import { startAuthenticatorFor } from '@jwks-auth/test-support/start'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { expressFive } from '../contract/express-app.ts'
import { fastifyFive } from '../contract/fastify-app.ts'
import { koaThree } from '../contract/koa-app.ts'
import { sendRaw } from '../contract/raw-request.ts'
import { expectDesignedAnswer, expectRefusal } from './answers.ts'
import { fragments, headerValue, latin1 } from './arbitraries.ts'
import { inMemory, overSockets, timeout } from './runs.ts'

const words = ['Bearer', 'bearer ', 'BEARER\t', 'Basic ', ' ', ',', '=', 'eyJhbGciOiJFUzI1NiJ9', '.', 'e30', '"', '\\']

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'https://api.example' })
})
afterAll(() => issuer.close())

describe('an Authorization header of any bytes', () => {
  it('is refused as designed', { timeout }, async () => {
    const authenticator = startAuthenticatorFor(issuer)
    const header = fc.oneof(
      latin1(200),
      latin1(60).map((bytes) => `Bearer ${bytes}`),
      fragments(words, latin1(8)),
    )
    const headers = fc.oneof({ weight: 9, arbitrary: header }, fc.array(header, { maxLength: 3 }))
    await fc.assert(
      fc.asyncProperty(headers, async (authorization) => {
        expectRefusal(await authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization } }))
      }),
      inMemory,
    )
  })
})

describe.each([expressFive, koaThree, fastifyFive])(
  'a request to $name with an Authorization header of any bytes',
  (framework) => {
    it('is refused as designed', { timeout }, async () => {
      const app = await framework.start({ auth: { issuer: issuer.issuer, audience: 'api', requireHttps: false } })
      const value = fc.oneof(
        headerValue(200),
        headerValue(60).map((bytes) => `Bearer ${bytes}`),
        fragments(words, headerValue(8)),
      )
      const names = fc.constantFrom('Authorization', 'authorization', 'AUTHORIZATION')
      try {
        await fc.assert(
          fc.asyncProperty(fc.array(fc.tuple(names, value), { minLength: 1, maxLength: 3 }), async (headers) => {
            expectDesignedAnswer(await sendRaw(app.port, { headers }))
          }),
          overSockets,
        )
      } finally {
        await app.close()
      }
    })
  },
)

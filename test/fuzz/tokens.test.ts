import { authenticate, startAuthenticatorFor } from '@jwks-auth/test-support/start'
import { createManualClock, createTestIssuer, type SigningAlgorithm, type TestIssuer } from '@jwks-auth/testing'
import fc from 'fast-check'
import { jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Forgery, forge, forgeries } from '../conformance/forgery.ts'
import { expectRefusal } from './answers.ts'
import { fragments, jsonText, latin1, objectText } from './arbitraries.ts'
import { inMemory, timeout, withSignatures } from './runs.ts'

const audience = 'https://api.example'
const exp = 9_999_999_999

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256', audience })
})
afterAll(() => issuer.close())

/** Texts in the shape of a token whose header and payload are nearly right. */
function unsignedTokens(): fc.Arbitrary<string> {
  const header = objectText({
    alg: ['ES256', 'EdDSA', 'none', 'HS256'],
    kid: ['key-1', 'other', ''],
    typ: ['JWT', 'at+jwt'],
    crit: [['exp']],
    jwk: [{}],
  })
  const payload = objectText({ iss: [issuer.issuer], aud: [audience, [audience]], exp: [exp], iat: [1], nbf: [1] })
  const good = JSON.stringify({ iss: issuer.issuer, aud: audience, exp })
  const base64url = (text: string): string => Buffer.from(text).toString('base64url')
  return fc
    .tuple(
      fc.oneof(header, fc.constant('{"alg":"ES256","kid":"key-1"}'), jsonText).map(base64url),
      fc.oneof(payload, fc.constant(good), jsonText).map(base64url),
      fc.oneof(
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        fc.constant(new Uint8Array(64)),
        fc.uint8Array({ maxLength: 140 }),
      ),
      fc.constantFrom('.', '.', '.', '..', ''),
    )
    .map(([head, body, signature, dot]) => [head, body, Buffer.from(signature).toString('base64url')].join(dot))
}

describe('an unsigned token', () => {
  it.each([
    ['of any bytes', () => latin1(200)],
    [
      'of any characters of a token',
      () => fragments(['.', '..', 'e30', 'eyJhbGciOiJFUzI1NiJ9', '=', 'A', '-_'], latin1(4)),
    ],
    ['in the shape of one', unsignedTokens],
  ])('%s is refused as designed', { timeout }, async (_, tokens) => {
    const authenticator = startAuthenticatorFor(issuer, { unknownKidCooldown: 86_400_000 })
    await fc.assert(
      fc.asyncProperty(tokens(), async (token) => expectRefusal(await authenticate(authenticator, token))),
      inMemory,
    )
  })
})

/** What the authenticators here are told, in jose's words. */
function joseRules(signer: TestIssuer, algorithm: SigningAlgorithm, now: number) {
  return {
    issuer: signer.issuer,
    audience,
    algorithms: [algorithm, ...(algorithm === 'Ed25519' ? ['EdDSA'] : [])],
    clockTolerance: 30,
    requiredClaims: ['exp'],
    currentDate: new Date(now),
  }
}

describe.each<SigningAlgorithm>(['RS256', 'ES384', 'ES512', 'Ed25519'])(
  'whatever is done to a token by %s',
  (algorithm) => {
    it('is accepted only if jose accepts it with the same key and rules, and refused as designed', {
      timeout,
    }, async () => {
      const clock = createManualClock()
      const signer = await createTestIssuer({ algorithm, audience, clock })
      onTestFinished(() => signer.close())
      const authenticator = startAuthenticatorFor(signer, { clock, unknownKidCooldown: 86_400_000 })
      const rules = joseRules(signer, algorithm, clock.now())
      let accepted = 0

      async function agrees(forgery: Forgery): Promise<void> {
        // Spaces ahead of the token are the header's (RFC 6750 §2.1), not the token's.
        const token = (await forge(signer, forgery)).trimStart()
        const outcome = await authenticate(authenticator, token)
        if (!outcome.ok) {
          expectRefusal(outcome)
          return
        }
        accepted += 1
        const { payload } = await jwtVerify(token, signer.signingKey.publicKey, rules)
        expect(outcome.auth?.claims).toEqual(payload)
      }

      const cases = forgeries(signer.issuer, audience, clock.now() / 1_000)
      await fc.assert(fc.asyncProperty(cases, agrees), withSignatures)
      // The run would prove nothing if all were refused.
      expect(accepted).toBeGreaterThan(0)
    })
  },
)

import { audience, startAuthenticatorFor, verdict } from '@jwks-auth/test-support/start'
import { createManualClock, createTestIssuer, type SigningAlgorithm } from '@jwks-auth/testing'
import fc from 'fast-check'
import { jwtVerify } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Forgery, forge, forgeries } from './forgery.ts'

describe.each<SigningAlgorithm>(['ES256', 'EdDSA', 'PS256'])('whatever is done to a token by %s', (algorithm) => {
  it('is accepted only if jose accepts it, too, with the right key and the same rules', async () => {
    const clock = createManualClock()
    const issuer = await createTestIssuer({ algorithm, audience, clock })
    onTestFinished(() => issuer.close())
    const authenticator = startAuthenticatorFor(issuer, { clock, unknownKidCooldown: 3_600_000 })
    const rules = {
      issuer: issuer.issuer,
      audience,
      algorithms: [algorithm, ...(algorithm === 'EdDSA' ? ['Ed25519'] : [])],
      clockTolerance: 30,
      requiredClaims: ['exp'],
      currentDate: new Date(clock.now()),
    }
    let [accepted, refused] = [0, 0]

    async function agrees(forgery: Forgery): Promise<void> {
      // Spaces ahead of the token are the header's (RFC 6750 §2.1), not the token's.
      const token = (await forge(issuer, forgery)).trimStart()
      const outcome = await verdict(authenticator, token)
      if (outcome !== 'accepted') {
        refused += 1
        return
      }
      accepted += 1
      await expect(jwtVerify(token, issuer.signingKey.publicKey, rules)).resolves.toHaveProperty('payload')
    }

    await fc.assert(fc.asyncProperty(forgeries(issuer.issuer, audience, clock.now() / 1_000), agrees), { numRuns: 400 })
    // The run would prove nothing if all were refused, or none.
    expect(accepted).toBeGreaterThan(20)
    expect(refused).toBeGreaterThan(20)
  })
})

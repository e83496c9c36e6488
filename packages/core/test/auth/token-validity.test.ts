import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkClaims, checkValidity, tokenTimes } from '../../src/auth/check-claims.ts'
import { checkClaimRules } from '../../src/auth/claim-rules.ts'

const seconds = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ min: -5, max: 5, noNaN: true }))
const absent = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })

it('a cached token is valid by its times exactly when the rules for its claims accept them', () => {
  fc.assert(
    fc.property(
      fc.record({ exp: seconds, nbf: absent(seconds), iat: absent(seconds) }),
      fc.record({ clockTolerance: fc.constantFrom(0, 1_000), maxTokenAge: absent(fc.constantFrom(1_000, 2_000)) }),
      fc.integer({ min: -7_000, max: 7_000 }),
      (times, options, now) => {
        const claims = Object.fromEntries(Object.entries(times).filter(([, value]) => value !== undefined))
        const rules = checkClaimRules('', { audience: false, ...options })
        const isValid = checkClaims(claims, rules, now) === undefined
        expect(checkValidity(tokenTimes(claims, rules), now) === undefined).toBe(isValid)
      },
    ),
    { numRuns: 20_000 },
  )
})

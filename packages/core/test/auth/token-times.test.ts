import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkClaims } from '../../src/auth/check-claims.ts'
import { checkClaimRules } from '../../src/auth/claim-rules.ts'
import { holdsAt, tokenTimes } from '../../src/auth/token-times.ts'

const seconds = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ min: -5, max: 5, noNaN: true }))
const absent = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })

it('the times of a token hold exactly when the rules for its claims do', () => {
  fc.assert(
    fc.property(
      fc.record({ exp: seconds, nbf: absent(seconds), iat: absent(seconds) }),
      fc.record({ clockTolerance: fc.constantFrom(0, 1_000), maxTokenAge: absent(fc.constantFrom(1_000, 2_000)) }),
      fc.integer({ min: -7_000, max: 7_000 }),
      (times, options, now) => {
        const claims = Object.fromEntries(Object.entries(times).filter(([, value]) => value !== undefined))
        const rules = checkClaimRules('', { audience: false, ...options })
        const holds = checkClaims(claims, rules, now) === undefined
        expect(holdsAt(tokenTimes(claims, rules), now)).toBe(holds)
      },
    ),
    { numRuns: 20_000 },
  )
})

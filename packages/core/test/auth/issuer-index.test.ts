import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AuthProvider } from '../../src/auth/auth-providers.ts'
import { createIssuerIndex } from '../../src/auth/auth-providers.ts'
import { areDistinguishable, checkClaimRules } from '../../src/auth/claim-rules.ts'

const issuer = 'https://shared.example'
const arbitraryRules = fc
  .record({
    audience: fc.oneof(fc.constant(false), fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 })),
    boundClaims: fc.dictionary(fc.constantFrom('org', 'team', '__proto__'), fc.constantFrom(1, '1', true, 'x'), {
      maxKeys: 2,
    }),
  })
  .map((given) => checkClaimRules('', given))

function tenantWith(rules: AuthProvider['rules']) {
  return { byIssuer: new Map([[issuer, { rules } as AuthProvider]]) }
}

describe('an index of tenants by issuer', () => {
  it('finds exactly those that nothing tells apart, and forgets what is removed', () => {
    fc.assert(
      fc.property(fc.array(arbitraryRules, { maxLength: 8 }), arbitraryRules, fc.nat(8), (all, rules, removed) => {
        const index = createIssuerIndex<ReturnType<typeof tenantWith>>()
        const tenants = all.map(tenantWith)
        for (const tenant of tenants) index.add(tenant)
        for (const tenant of tenants.slice(0, removed)) index.remove(tenant)
        const expected = tenants
          .slice(removed)
          .filter((tenant) => !areDistinguishable(tenant.byIssuer.get(issuer)?.rules ?? rules, rules))
        expect(new Set(index.indistinguishable(issuer, rules))).toEqual(new Set(expected))
        expect([...index.indistinguishable('https://other.example', rules)]).toEqual([])
      }),
    )
  })
})

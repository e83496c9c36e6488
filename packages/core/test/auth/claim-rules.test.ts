import { describe, expect, it } from 'vitest'
import { checkAuthOptions } from '../../src/auth/check-auth-options.ts'
import { areDistinguishable, type ClaimRuleOptions, checkClaimRules } from '../../src/auth/claim-rules.ts'

describe('a claim rule', () => {
  it.each<[string, unknown, string]>([
    ['audience', undefined, 'audience is required'],
    ['audience', null, 'audience'],
    ['audience', true, 'audience'],
    ['audience', '', 'audience'],
    ['audience', [], 'audience'],
    ['audience', ['api', ''], 'audience[1]'],
    ['audience', [7], 'audience[0]'],
    ['boundClaims', [], 'boundClaims'],
    ['boundClaims', 'org_id', 'boundClaims'],
    ['boundClaims', null, 'boundClaims'],
    ['boundClaims', { org_id: null }, 'boundClaims.org_id'],
    ['boundClaims', { org_id: ['a'] }, 'boundClaims.org_id'],
    ['boundClaims', { org_id: undefined }, 'boundClaims.org_id'],
    ['clientIds', [], 'clientIds'],
    ['clientIds', null, 'clientIds'],
    ['requiredClaims', { email: true }, 'requiredClaims'],
    ['requiredClaims', [''], 'requiredClaims[0]'],
    ['requiredClaims', null, 'requiredClaims'],
    ['clockTolerance', -1, 'clockTolerance'],
    ['clockTolerance', '30s', 'clockTolerance'],
    ['clockTolerance', Number.POSITIVE_INFINITY, 'clockTolerance'],
    ['clockTolerance', null, 'clockTolerance'],
    ['maxTokenAge', 0, 'maxTokenAge'],
    ['maxTokenAge', 1.5, 'maxTokenAge'],
    ['maxTokenAge', null, 'maxTokenAge'],
    ['typ', '', 'typ'],
    ['typ', [], 'typ'],
    ['typ', null, 'typ'],
    ['profile', 'rfc9069', 'profile'],
    ['profile', true, 'profile'],
    ['cnf', 'no', 'cnf'],
    ['cnf', false, 'cnf'],
    ['cnf', null, 'cnf'],
  ])('%s may not be %j', (name, value, message) => {
    const check = () => checkClaimRules('tenants.acme.', { audience: 'api', [name]: value })
    expect(check).toThrow(TypeError)
    expect(check).toThrow(`tenants.acme.${message}`)
  })

  it('may not be a type beside the profile that sets it', () => {
    const check = () => checkClaimRules('', { audience: 'api', profile: 'rfc9068', typ: 'JWT' })
    expect(check).toThrow('typ cannot be set beside profile')
  })

  it('is a zero where that means none', () => {
    expect(checkClaimRules('', { audience: 'api', clockTolerance: 0 }).clockTolerance).toBe(0)
  })
})

describe('two tenants with one issuer', () => {
  it.each<[string, boolean, ClaimRuleOptions, ClaimRuleOptions]>([
    ['the same audience', false, { audience: 'a' }, { audience: 'a' }],
    ['other audiences', true, { audience: 'a' }, { audience: 'b' }],
    ['audiences that overlap', false, { audience: ['a', 'b'] }, { audience: ['b', 'c'] }],
    ['audiences that do not', true, { audience: ['a', 'b'] }, { audience: ['c'] }],
    ['any audience for one', false, { audience: false }, { audience: 'b' }],
    ['any audience for both', false, { audience: false }, { audience: false }],
    ['other values of a bound claim', true, bound({ org: '1' }), bound({ org: '2' })],
    ['the same value of a bound claim', false, bound({ org: '1' }), bound({ org: '1' })],
    ['a claim that is bound for one only', false, bound({ org: '1' }), bound({})],
    ['other bound claims', false, bound({ org: '1' }), bound({ team: '1' })],
    ['a second bound claim that differs', true, bound({ org: '1', env: 'a' }), bound({ org: '1', env: 'b' })],
    ['values of other types', true, bound({ org: 1 }), bound({ org: '1' })],
    ['other clients only', false, { audience: 'a', clientIds: ['x'] }, { audience: 'a', clientIds: ['y'] }],
  ])('and %s are told apart: %s', (_, distinguishable, one, other) => {
    const [first, second] = [checkClaimRules('', { ...one }), checkClaimRules('', { ...other })]
    expect(areDistinguishable(first, second)).toBe(distinguishable)
    expect(areDistinguishable(second, first)).toBe(distinguishable)
  })
})

function bound(boundClaims: Readonly<Record<string, string | number>>): ClaimRuleOptions {
  return { audience: 'a', boundClaims }
}

describe('the rules of many tenants', () => {
  it('are one object where they are the same, and each tenant’s own where they are not', () => {
    const issuer = 'https://issuer.example'
    const { providers } = checkAuthOptions({
      audience: 'api',
      tenant: () => 'a',
      tenants: {
        a: { issuer },
        b: { issuer },
        c: { issuer, audience: 'other' },
        d: { issuer, boundClaims: { org: 1 } },
        e: { issuer, boundClaims: { org: 2 } },
      },
    })
    const [a, b, c, d, e] = providers.map(({ rules }) => rules)
    expect(b).toBe(a)
    expect([...(c?.audiences ?? [])]).toEqual(['other'])
    expect([d, e].map((rules) => rules?.boundClaims.get('org'))).toEqual([1, 2])
  })
})

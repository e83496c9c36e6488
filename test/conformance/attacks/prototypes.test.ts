import { authenticate, startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { claimsText } from './attacks.ts'

/** Claims, or a header, that would be good if members of `__proto__` counted. */
const pollution = '"__proto__":{"polluted":true,"scope":"admin","org_id":"org_1","crit":["x"]}'
const indirect = '"constructor":{"prototype":{"polluted":true,"scope":"admin"}}'

describe.each([
  ['__proto__', pollution],
  ['constructor.prototype', indirect],
])('a payload with members for %s', (_, members) => {
  it('changes no prototype, and gives no claim and no scope', async () => {
    const issuer = await startIssuer()
    const token = await issuer.sign({}, { payloadText: claimsText(issuer, members) })
    const outcome = await authenticate(startAuthenticatorFor(issuer), token)
    if (!outcome.ok || outcome.auth === undefined) throw new Error('refused')
    const { claims, scopes } = outcome.auth as { claims: Record<string, unknown>; scopes: ReadonlySet<string> }
    expect(Object.getPrototypeOf(claims)).toBe(Object.prototype)
    expect([claims['polluted'], claims['scope'], claims['org_id'], scopes.size]).toEqual([
      undefined,
      undefined,
      undefined,
      0,
    ])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it.each([
    ['requiredClaims', { requiredClaims: ['org_id'] }, 'ERR_CLAIM_MISSING'],
    ['boundClaims', { boundClaims: { org_id: 'org_1' } }, 'ERR_CLAIM_NOT_BOUND'],
    ['requiredClaims, for a name of Object.prototype', { requiredClaims: ['toString'] }, 'ERR_CLAIM_MISSING'],
  ])('does not satisfy %s', async (_rule, rule, code) => {
    const issuer = await startIssuer()
    const token = await issuer.sign({}, { payloadText: claimsText(issuer, members) })
    expect(await verdict(startAuthenticatorFor(issuer, rule), token)).toBe(code)
  })
})

describe('a token whose members are all in __proto__', () => {
  it('has no claims', async () => {
    const issuer = await startIssuer()
    const payloadText = `{"__proto__":${claimsText(issuer, '"a":1')}}`
    const token = await issuer.sign({}, { payloadText })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_CLAIM_MISSING')
  })

  it('has no alg', async () => {
    const issuer = await startIssuer()
    const token = await issuer.sign({}, { headerText: '{"__proto__":{"alg":"ES256","kid":"key-1"}}' })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_TOKEN_MALFORMED')
  })

  it('has no kid, so that no key is looked up by it', async () => {
    const issuer = await startIssuer()
    const token = await issuer.sign({}, { headerText: '{"alg":"ES256","__proto__":{"kid":"other","crit":["x"]}}' })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('accepted')
    expect(issuer.requestCount()).toBe(1)
  })
})

describe('a key set whose keys are in __proto__', () => {
  it('has none', async () => {
    const issuer = await startIssuer()
    issuer.setJwks(`{"__proto__":${JSON.stringify(issuer.jwks)}}`)
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign())).toBe('ERR_KEYS_UNAVAILABLE')
  })

  it('has none of their members either', async () => {
    const issuer = await startIssuer()
    const { kid, ...material } = issuer.signingKey.publicJwk
    issuer.setJwks(`{"keys":[{"kid":${JSON.stringify(kid)},"__proto__":${JSON.stringify(material)}}]}`)
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign())).toBe('ERR_KEYS_UNAVAILABLE')
  })
})

describe('metadata whose members are in __proto__', () => {
  it('names no issuer and no key set', async () => {
    const issuer = await startIssuer()
    const members = JSON.stringify({ issuer: issuer.issuer, jwks_uri: issuer.jwksUri })
    for (const endpoint of ['openid', 'oauth'] as const) {
      issuer.answerAlways(endpoint, { kind: 'reply', body: `{"__proto__":${members}}` })
    }
    const authenticator = startAuthenticatorFor(issuer, { jwksUri: undefined, retryPolicy: { maxRetries: 0 } })
    expect(await verdict(authenticator, await issuer.sign())).toBe('ERR_KEYS_UNAVAILABLE')
    expect(issuer.requestCount('jwks')).toBe(0)
  })
})

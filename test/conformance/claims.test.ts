import { audience, startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

const now = createManualClock().now() / 1_000

describe('a well signed token', () => {
  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['everything in order', {}, 'accepted'],
    ['aud as a list of one', { aud: [audience] }, 'accepted'],
    ['aud among others', { aud: ['web', audience] }, 'accepted'],
    ['another aud', { aud: 'https://other.example' }, 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['aud that differs in a slash', { aud: `${audience}/` }, 'ERR_AUDIENCE_NOT_ALLOWED'],
    ['no aud', { aud: undefined }, 'ERR_CLAIM_MISSING'],
    ['no exp', { exp: undefined }, 'ERR_CLAIM_MISSING'],
    ['exp as a string', { exp: String(now + 60) }, 'ERR_CLAIM_MALFORMED'],
    ['exp null', { exp: null }, 'ERR_CLAIM_MALFORMED'],
    ['exp passed', { exp: now - 31 }, 'ERR_TOKEN_EXPIRED'],
    ['exp passed within the tolerance', { exp: now - 29 }, 'accepted'],
    ['nbf ahead', { nbf: now + 31 }, 'ERR_TOKEN_NOT_YET_VALID'],
    ['iat ahead', { iat: now + 31 }, 'ERR_TOKEN_ISSUED_IN_FUTURE'],
    ['iat as a string', { iat: String(now) }, 'ERR_CLAIM_MALFORMED'],
    ['no iss', { iss: undefined }, 'ERR_CLAIM_MISSING'],
    ['iss as a list', { iss: ['https://issuer.example'] }, 'ERR_CLAIM_MALFORMED'],
    ['iss in another case', { iss: 'HTTPS://ISSUER.EXAMPLE' }, 'ERR_ISSUER_NOT_ALLOWED'],
    ['iss with a slash more', { iss: 'https://issuer.example/' }, 'ERR_ISSUER_NOT_ALLOWED'],
    ['iss with the default port', { iss: 'https://issuer.example:443' }, 'ERR_ISSUER_NOT_ALLOWED'],
    ['cnf', { cnf: { jkt: 'x' } }, 'ERR_CONFIRMATION_NOT_CHECKED'],
    ['exp in milliseconds', { exp: (now + 60) * 1_000 }, 'ERR_CLAIM_MALFORMED'],
    ['exp of 1e306', { exp: 1e306 }, 'ERR_CLAIM_MALFORMED'],
    ['nbf in milliseconds', { nbf: now * 1_000 }, 'ERR_CLAIM_MALFORMED'],
    ['sub null', { sub: null }, 'ERR_CLAIM_MALFORMED'],
    ['sub a number', { sub: 7 }, 'ERR_CLAIM_MALFORMED'],
    ['jti true', { jti: true }, 'ERR_CLAIM_MALFORMED'],
    ['client_id in a list', { client_id: ['c'] }, 'ERR_CLAIM_MALFORMED'],
    ['scope null', { scope: null }, 'ERR_CLAIM_MALFORMED'],
    ['scope an object', { scope: { read: true } }, 'ERR_CLAIM_MALFORMED'],
    ['scope a list', { scope: ['read', 'write'] }, 'accepted'],
  ])('with %s: %s', async (_, claims, outcome) => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    const authenticator = startAuthenticatorFor(issuer, { issuer: 'https://issuer.example', clock })
    expect(await verdict(authenticator, await issuer.sign({ iss: 'https://issuer.example', ...claims }))).toBe(outcome)
  })

  it('whose iss lacks the slash that the issuer has is refused', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticatorFor(issuer, { issuer: `${issuer.issuer}/` })
    expect(await verdict(authenticator, await issuer.sign())).toBe('ERR_ISSUER_NOT_ALLOWED')
    expect(await verdict(authenticator, await issuer.sign({ iss: `${issuer.issuer}/` }))).toBe('accepted')
  })

  it('may be of any issuer of a list, beside jwksUri', async () => {
    const issuer = await startIssuer()
    const issuers = ['accounts.google.com', 'https://accounts.google.com']
    const authenticator = startAuthenticatorFor(issuer, { issuer: issuers })
    for (const iss of issuers) expect(await verdict(authenticator, await issuer.sign({ iss }))).toBe('accepted')
    expect(await verdict(authenticator, await issuer.sign())).toBe('ERR_ISSUER_NOT_ALLOWED')
  })

  it('expires while it is used', async () => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    const authenticator = startAuthenticatorFor(issuer, { clock })
    const token = await issuer.sign({ exp: now + 60 })
    expect(await verdict(authenticator, token)).toBe('accepted')
    await clock.advance(89_999)
    expect(await verdict(authenticator, token)).toBe('accepted')
    await clock.advance(1)
    expect(await verdict(authenticator, token)).toBe('ERR_TOKEN_EXPIRED')
  })
})

describe('a bound claim that is a number', () => {
  it.each(['1234567890123456788', '1234567890123456800', '9007199254740993'])(
    'beyond 2^53 is a TypeError, since it would equal its neighbours: %s',
    async (text) => {
      const issuer = await startIssuer()
      const boundClaims = { org_id: Number(text) }
      expect(() => startAuthenticatorFor(issuer, { boundClaims })).toThrow(/boundClaims\.org_id/)
    },
  )

  it('is not equal to a larger one in a token', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticatorFor(issuer, { boundClaims: { org_id: Number.MAX_SAFE_INTEGER } })
    expect(await verdict(authenticator, await issuer.sign({ org_id: Number.MAX_SAFE_INTEGER }))).toBe('accepted')
    for (const orgId of [2 ** 53, 2 ** 53 + 2, 1e300]) {
      expect(await verdict(authenticator, await issuer.sign({ org_id: orgId }))).toBe('ERR_CLAIM_NOT_BOUND')
    }
  })
})

describe('a token that is refused for its claims', () => {
  it('costs the provider nothing', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticatorFor(issuer)
    for (const claims of [{ exp: 1 }, { aud: 'other' }, { iss: 'other' }, { nbf: 9_999_999_999 }]) {
      await verdict(authenticator, await issuer.sign(claims))
    }
    expect(issuer.requestCount()).toBe(0)
  })
})

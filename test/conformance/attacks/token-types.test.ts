import { audience, startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import type { SignOverrides, TokenClaims } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

const logoutEvent = { 'http://schemas.openid.net/event/backchannel-logout': {} }

/** Tokens that the same issuer signs with the same key for another purpose (RFC 8725 §2.8). */
const others: readonly (readonly [name: string, claims: TokenClaims, overrides: SignOverrides, code: string])[] = [
  ['a logout token', { events: logoutEvent, jti: 'a' }, { typ: 'logout+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['a logout token by its full media type', {}, { typ: 'application/logout+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['a logout token in capitals', {}, { typ: 'LOGOUT+JWT' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  [
    'a logout token without typ and exp',
    { events: logoutEvent, exp: undefined },
    { typ: undefined },
    'ERR_CLAIM_MISSING',
  ],
  ['a security event', { events: {} }, { typ: 'secevent+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['a proof of possession', { htm: 'GET', htu: '/' }, { typ: 'dpop+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['a request object', {}, { typ: 'oauth-authz-req+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['an introspection answer', {}, { typ: 'token-introspection+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['an entity statement', {}, { typ: 'entity-statement+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['a client assertion', {}, { typ: 'client-authentication+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['an empty typ', {}, { typ: '' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['a typ with a parameter', {}, { typ: 'at+jwt;v=1' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
  ['an ID token', { aud: 'client-1', nonce: 'n', at_hash: 'h' }, { typ: 'JWT' }, 'ERR_AUDIENCE_NOT_ALLOWED'],
]

describe('no access token is', () => {
  it.each(others)('%s', async (_, claims, overrides, code) => {
    const issuer = await startIssuer()
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign(claims, overrides))).toBe(code)
  })
})

describe('an ID token for an audience that is the API', () => {
  const idToken = { nonce: 'n', at_hash: 'h', auth_time: 1 }

  it('cannot be told from an access token without a profile', async () => {
    const issuer = await startIssuer()
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign(idToken))).toBe('accepted')
  })

  it.each<[string, Parameters<typeof startAuthenticatorFor>[1], string]>([
    ['profile', { profile: 'rfc9068' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
    ['typ', { typ: 'at+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
    ['requiredClaims', { requiredClaims: ['scope'] }, 'ERR_CLAIM_MISSING'],
    ['clientIds', { clientIds: ['client-1'] }, 'ERR_CLIENT_NOT_ALLOWED'],
  ])('is refused with %s', async (_, rules, code) => {
    const issuer = await startIssuer()
    expect(await verdict(startAuthenticatorFor(issuer, rules), await issuer.sign(idToken))).toBe(code)
  })

  it('lets an access token of RFC 9068 pass that says the same and more', async () => {
    const issuer = await startIssuer()
    const token = await issuer.sign({ ...idToken, client_id: 'client-1', jti: 'a', aud: audience }, { typ: 'at+jwt' })
    expect(await verdict(startAuthenticatorFor(issuer, { profile: 'rfc9068' }), token)).toBe('accepted')
  })
})

import type { JsonWebKey } from 'node:crypto'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { startAuthenticatorFor, startIssuer, verdict } from '@jwks-auth/test-support/start'
import type { SignOverrides, TestIssuer } from '@jwks-auth/testing'
import type { JWK } from 'jose'
import { describe, expect, it } from 'vitest'

const pair = generateKeys('ec', { namedCurve: 'P-256' })
const foreignPrivate = pair.privateKey.export({ format: 'jwk' }) as JWK
const foreignPublic: JsonWebKey = pair.publicKey.export({ format: 'jwk' })

/** A protected header that offers the forger's own key. */
type Offer = (forger: TestIssuer) => NonNullable<SignOverrides['header']>

const offers: readonly (readonly [name: string, offer: Offer])[] = [
  ['jwk', () => ({ jwk: foreignPublic })],
  ['jku', (forger) => ({ jku: forger.jwksUri })],
  ['x5u', (forger) => ({ x5u: `${forger.issuer}/cert.pem` })],
  ['x5c', () => ({ x5c: ['MIIBszCCAVmgAwIBAgIUZm9yZ2Vk'] })],
  ['x5t', () => ({ x5t: 'Zm9yZ2Vk', 'x5t#S256': 'Zm9yZ2Vk' })],
]

describe.each(offers)('the header %s', (_, offer) => {
  it.each([
    ['the kid of a published key', { kid: 'key-1' }, 'ERR_SIGNATURE_INVALID'],
    ['a kid of its own', { kid: 'forged' }, 'ERR_KEY_NOT_FOUND'],
    ['no kid', { kid: undefined }, 'ERR_SIGNATURE_INVALID'],
  ])('does not make a forged token with %s good, and the URL in it is not fetched', async (_kid, overrides, code) => {
    const [issuer, forger] = [await startIssuer(), await startIssuer({ kid: 'forged' })]
    const token = await issuer.sign({}, { ...overrides, header: offer(forger), signWith: foreignPrivate })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe(code)
    expect(forger.requestCount()).toBe(0)
    expect(new Set(issuer.requests.map(({ endpoint }) => endpoint))).toEqual(new Set(['jwks']))
  })

  it('does not make a good token bad', async () => {
    const [issuer, forger] = [await startIssuer(), await startIssuer()]
    const token = await issuer.sign({}, { header: offer(forger) })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('accepted')
    expect(forger.requestCount()).toBe(0)
  })
})

describe('a critical header', () => {
  it.each<[string, NonNullable<SignOverrides['header']>]>([
    ['that does not exist', { crit: ['x'], x: 1 }],
    ['that everybody knows', { crit: ['exp'], exp: 1 }],
    ['that is not there', { crit: ['x'] }],
    ['of none', { crit: [] }],
    ['that is no list', { crit: 'b64' }],
    ['b64: false', { crit: ['b64'], b64: false }],
    ['b64: true', { crit: ['b64'], b64: true }],
    ['b64: false, not marked as such', { b64: false }],
  ])('%s has a well signed token refused', async (_, header) => {
    const issuer = await startIssuer()
    const token = await issuer.sign({}, { header })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_CRITICAL_HEADER_NOT_UNDERSTOOD')
  })
})

describe('a well signed token', () => {
  it.each<[string, SignOverrides, string]>([
    ['a kid that is a number', { header: { kid: 1 } }, 'ERR_TOKEN_MALFORMED'],
    ['a kid that is a list', { header: { kid: ['key-1'] } }, 'ERR_TOKEN_MALFORMED'],
    ['a typ that is a list', { header: { typ: ['JWT'] } }, 'ERR_TOKEN_MALFORMED'],
    ['the typ of an ID token by another name', { typ: 'logout+jwt' }, 'ERR_TOKEN_TYPE_NOT_ALLOWED'],
    [
      'a header with a member twice',
      { headerText: '{"alg":"ES256","kid":"key-1","kid":"key-1"}' },
      'ERR_TOKEN_MALFORMED',
    ],
    [
      'a header with alg twice, once escaped',
      { headerText: '{"alg":"ES256","kid":"key-1","\\u0061lg":"ES256"}' },
      'ERR_TOKEN_MALFORMED',
    ],
    ['a header behind a byte order mark', { headerText: '\ufeff{"alg":"ES256","kid":"key-1"}' }, 'ERR_TOKEN_MALFORMED'],
    ['a header that is null', { headerText: 'null' }, 'ERR_TOKEN_MALFORMED'],
    ['a payload that is a list', { payloadText: '[]' }, 'ERR_TOKEN_MALFORMED'],
    ['a payload that is null', { payloadText: 'null' }, 'ERR_TOKEN_MALFORMED'],
    ['a payload that is no JSON', { payloadText: 'iss=me' }, 'ERR_TOKEN_MALFORMED'],
    ['an empty payload', { payloadText: '' }, 'ERR_TOKEN_MALFORMED'],
    ['a kid of ten thousand letters', { kid: 'k'.repeat(10_000) }, 'ERR_KEY_NOT_FOUND'],
    ['a kid that is a name of Object.prototype', { kid: '__proto__' }, 'ERR_KEY_NOT_FOUND'],
    ['a kid in another case', { kid: 'KEY-1' }, 'ERR_KEY_NOT_FOUND'],
    ['an empty kid', { kid: '' }, 'ERR_KEY_NOT_FOUND'],
  ])('with %s is refused', async (_, overrides, code) => {
    const issuer = await startIssuer()
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign({}, overrides))).toBe(code)
  })

  it('with a payload that says a claim twice is refused', async () => {
    const issuer = await startIssuer()
    const claims = JSON.stringify({ iss: issuer.issuer, aud: 'https://api.example', exp: 9_999_999_999 })
    const payloadText = claims.replace('{', '{"aud":"other",')
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign({}, { payloadText: claims }))).toBe(
      'accepted',
    )
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign({}, { payloadText }))).toBe(
      'ERR_TOKEN_MALFORMED',
    )
  })

  it('that nests deeply is neither a stack overflow nor a server error', async () => {
    const issuer = await startIssuer()
    const deep = `{"iss":"x","exp":9999999999,"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    const authenticator = startAuthenticatorFor(issuer, { maxTokenBytes: 1_000_000 })
    expect(await verdict(authenticator, await issuer.sign({}, { payloadText: deep }))).toBe('ERR_ISSUER_NOT_ALLOWED')
  })

  it('that was encrypted is refused unread', async () => {
    const issuer = await startIssuer()
    const header = Buffer.from('{"alg":"RSA-OAEP","enc":"A256GCM"}').toString('base64url')
    expect(await verdict(startAuthenticatorFor(issuer), `${header}.AAAA.AAAA.AAAA.AAAA`)).toBe('ERR_TOKEN_MALFORMED')
    expect(issuer.requestCount()).toBe(0)
  })
})

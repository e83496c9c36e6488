import { startAuthenticatorFor, verdict } from '@jwks-auth/test-support/start'
import { createTestIssuer, signingAlgorithms, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let issuer: TestIssuer

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'RS256', kid: 'RS256', audience: 'https://api.example' })
  for (const algorithm of signingAlgorithms.slice(1)) await issuer.addKey({ algorithm, kid: algorithm })
}, 60_000)
afterAll(() => issuer.close())

describe('the signature algorithms', () => {
  it.each(signingAlgorithms)('verify a token by %s', async (key) => {
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign({}, { key }))).toBe('accepted')
  })

  it.each(signingAlgorithms)('verify a token by %s without kid', async (key) => {
    const token = await issuer.sign({}, { key, kid: undefined })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('accepted')
  })

  it.each(signingAlgorithms)('refuse a token by %s whose payload was changed', async (key) => {
    const [header, , signature] = (await issuer.sign({}, { key })).split('.')
    const [, payload] = (await issuer.sign({ sub: 'other' }, { key })).split('.')
    const token = [header, payload, signature].join('.')
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_SIGNATURE_INVALID')
  })

  it.each([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
  ])('take the key for %s for one for %s, which is the same', async (key, alg) => {
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign({}, { key, alg }))).toBe('accepted')
  })

  it.each([
    ['RS256', 'RS384'],
    ['RS256', 'PS256'],
    ['PS256', 'RS256'],
    ['PS512', 'PS256'],
    ['ES256', 'ES384'],
    ['ES384', 'ES256'],
    ['ES256', 'EdDSA'],
    ['EdDSA', 'ES256'],
    ['RS256', 'ES256'],
  ])('refuse a token with the key for %s and the alg %s', async (key, alg) => {
    const token = await issuer.sign({}, { key, alg })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_KEY_NOT_FOUND')
  })

  it.each([
    ['none'],
    ['None'],
    ['NONE'],
    ['nOnE'],
    ['HS256'],
    ['HS384'],
    ['HS512'],
    ['hs256'],
    ['rs256'],
    ['RS256 '],
    ['RS1'],
    ['ES256K'],
    ['Ed448'],
    ['RSA-OAEP'],
    ['dir'],
    [''],
    ['__proto__'],
    ['constructor'],
  ])('do not include %j', async (alg) => {
    const token = await issuer.sign({}, { key: 'RS256', alg })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toMatch(/^ERR_(ALGORITHM_NOT_ALLOWED|TOKEN_MALFORMED)$/)
  })

  it('refuse an unsigned token whatever it has for a signature', async () => {
    const [header, payload] = (await issuer.sign({}, { alg: 'none' })).split('.')
    const [, , signature] = (await issuer.sign()).split('.')
    expect(await verdict(startAuthenticatorFor(issuer), `${header}.${payload}.${signature}`)).toBe(
      'ERR_ALGORITHM_NOT_ALLOWED',
    )
  })

  it('can be fewer', async () => {
    const authenticator = startAuthenticatorFor(issuer, { algorithms: ['PS256', 'ES256'] })
    expect(await verdict(authenticator, await issuer.sign({}, { key: 'PS256' }))).toBe('accepted')
    expect(await verdict(authenticator, await issuer.sign({}, { key: 'RS256' }))).toBe('ERR_ALGORITHM_NOT_ALLOWED')
  })
})

describe('a signature', () => {
  it.each([
    ['ES256', 64],
    ['ES384', 96],
    ['ES512', 132],
    ['EdDSA', 64],
    ['RS256', 256],
    ['PS256', 256],
  ])('of zeros alone is none, by %s', async (key, bytes) => {
    const [header, payload] = (await issuer.sign({}, { key })).split('.')
    const token = `${header}.${payload}.${Buffer.alloc(bytes).toString('base64url')}`
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_SIGNATURE_INVALID')
  })

  it.each([
    ['ES256', -1],
    ['ES256', 1],
    ['EdDSA', 1],
    ['RS256', -1],
    ['RS256', 1],
  ])('by %s of another length (%i) is none', async (key, more) => {
    const [header, payload, signature = ''] = (await issuer.sign({}, { key })).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    const other = more > 0 ? Buffer.concat([bytes, Buffer.alloc(more)]) : bytes.subarray(0, more)
    const token = `${header}.${payload}.${other.toString('base64url')}`
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_SIGNATURE_INVALID')
  })
})

import { generateKeyPairSync } from 'node:crypto'
import type { TestIssuer } from '@jwks-auth/testing'
import type { JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { startAuthenticatorFor, startIssuer, startRegistryWith, verdict } from '../integration/start.ts'

/** Publishes the signing key with other members, beside a key that is in order. */
async function publishChanged(changes: Readonly<Record<string, unknown>>): Promise<TestIssuer> {
  const issuer = await startIssuer()
  const other = await issuer.addKey({ kid: 'in-order' })
  const changed = { ...issuer.signingKey.publicJwk, ...changes }
  issuer.setJwks({
    keys: [Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined)), other.publicJwk],
  })
  return issuer
}

describe('a published key', () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['no alg and no use', { alg: undefined, use: undefined }],
    ['key_ops verify', { use: undefined, key_ops: ['verify'] }],
    ['members that nobody knows', { x5c: ['AAAA'], x5t: 'AAAA', note: { a: 1 } }],
  ])('with %s verifies', async (_, changes) => {
    const issuer = await publishChanged(changes)
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign())).toBe('accepted')
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['use enc', { use: 'enc' }],
    ['key_ops without verify', { use: undefined, key_ops: ['encrypt'] }],
    ['another alg', { alg: 'ES384' }],
    ['the alg of another purpose', { alg: 'ECDH-ES' }],
    ['a private half', { d: 'AAAA' }],
    ['a kid that is a number', { kid: 1 }],
    ['another kid', { kid: 'other' }],
    ['a point that is not on the curve', { x: Buffer.alloc(32, 1).toString('base64url') }],
  ])('with %s does not verify, and its neighbour does', async (_, changes) => {
    const issuer = await publishChanged(changes)
    const authenticator = startAuthenticatorFor(issuer)
    expect(await verdict(authenticator, await issuer.sign())).toBe('ERR_KEY_NOT_FOUND')
    expect(await verdict(authenticator, await issuer.sign({}, { key: 'in-order' }))).toBe('accepted')
  })
})

describe('an RSA key', () => {
  it.each([
    [1_024, 'ERR_KEY_NOT_FOUND'],
    [2_048, 'accepted'],
  ])('of %i bits: %s', async (modulusLength, outcome) => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength })
    const issuer = await startIssuer()
    const rsa = { ...publicKey.export({ format: 'jwk' }), kid: 'rsa' }
    issuer.setJwks({ keys: [rsa, issuer.signingKey.publicJwk] })
    const signWith = privateKey.export({ format: 'jwk' }) as JWK
    const token = await issuer.sign({}, { kid: 'rsa', alg: 'RS256', signWith })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe(outcome)
  })

  it.each([1_024, 2_047, 8_193, 8_200, 16_384])('of %i bits is refused with an event', async (bits) => {
    const issuer = await startIssuer()
    const n = Buffer.alloc(Math.ceil(bits / 8), 0xff)
    n[0] = 0xff >> (n.length * 8 - bits)
    const rsa = { kty: 'RSA', kid: 'rsa', e: 'AQAB', n: n.toString('base64url') }
    issuer.setJwks({ keys: [rsa, issuer.signingKey.publicJwk] })
    const registry = await startRegistryWith(issuer)
    const refused: unknown[] = []
    registry.on('keys-refused', (event) => refused.push(event))
    expect((await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)).toEqual(['key-1'])
    expect(refused).toEqual([{ tenant: 'acme', provider: 'auth0', kid: 'rsa', reason: 'rsa-size' }])
  })
})

describe('a secret among the published keys', () => {
  it('signs nothing', async () => {
    const issuer = await startIssuer()
    const secret = { kty: 'oct', kid: 'secret', k: Buffer.from('secret').toString('base64url'), alg: 'HS256' }
    issuer.setJwks({ keys: [secret, issuer.signingKey.publicJwk] })
    const token = await issuer.sign({}, { kid: 'secret', alg: 'HS256', signWith: secret })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_ALGORITHM_NOT_ALLOWED')
  })
})

import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import {
  startAuthenticatorFor,
  startIssuer,
  startRegistry,
  startRegistryWith,
  verdict,
} from '@jwks-auth/test-support/start'
import { memoryStore, type TestIssuer } from '@jwks-auth/testing'
import type { JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { collectRefusals } from './refused-keys.ts'

/** Publishes the signing key with other members, beside a good key. */
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
    ['use jwt-svid', { use: 'jwt-svid' }],
    ['a private half of null', { d: null }],
    ['an empty private half', { d: '' }],
    ['null members of every other type', { n: null, e: null, k: null, p: null, q: null, dp: null, dq: null, qi: null }],
    ['empty alg, use and key_ops', { alg: '', use: '', key_ops: [] }],
    ['alg, use and key_ops null', { alg: null, use: null, key_ops: null }],
    ['unknown members', { x5c: ['AAAA'], x5t: 'AAAA', note: { a: 1 } }],
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

/** A member of a public key that is an integer. */
type Integer = 'n' | 'e' | 'x' | 'y'

/** The signing key of a new issuer, with one of its members written in another way. */
async function publishEncoded(algorithm: 'ES256' | 'RS256', member: Integer, encode: (octets: Buffer) => string) {
  const issuer = await startIssuer({ algorithm })
  const { publicJwk } = issuer.signingKey
  const encoded = { ...publicJwk, [member]: encode(Buffer.from(String(publicJwk[member]), 'base64url')) }
  return { issuer, encoded }
}

const encodings: readonly (readonly [string, 'ES256' | 'RS256', Integer, (octets: Buffer) => string])[] = [
  ['n with padding', 'RS256', 'n', (octets) => `${octets.toString('base64url')}==`],
  ['n in standard base64', 'RS256', 'n', (octets) => octets.toString('base64')],
  [
    'n with a leading zero octet',
    'RS256',
    'n',
    (octets) => Buffer.concat([Buffer.alloc(1), octets]).toString('base64url'),
  ],
  [
    'e with leading zero octets',
    'RS256',
    'e',
    (octets) => Buffer.concat([Buffer.alloc(5), octets]).toString('base64url'),
  ],
  ['x with padding', 'ES256', 'x', (octets) => `${octets.toString('base64url')}=`],
  ['y in standard base64', 'ES256', 'y', (octets) => octets.toString('base64')],
  ['x of 33 octets', 'ES256', 'x', (octets) => Buffer.concat([Buffer.alloc(1), octets]).toString('base64url')],
]

describe.each(encodings)('a key with %s', (_, algorithm, member, encode) => {
  it('verifies tokens', async () => {
    const { issuer, encoded } = await publishEncoded(algorithm, member, encode)
    issuer.setJwks({ keys: [encoded] })
    expect(await verdict(startAuthenticatorFor(issuer), await issuer.sign())).toBe('accepted')
  })

  it('is the same key as before: the refresh reports no change', async () => {
    const { issuer, encoded } = await publishEncoded(algorithm, member, encode)
    const registry = await startRegistryWith(issuer)
    const { keys } = await registry.resolve('acme', 'auth0')
    issuer.setJwks({ keys: [encoded] })
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({ ok: true, added: [], removed: [], changed: [] })
    expect((await registry.resolve('acme', 'auth0')).keys).toEqual(keys)
  })

  it('is revoked with the key, under another kid as well', async () => {
    const { issuer, encoded } = await publishEncoded(algorithm, member, encode)
    const other = await issuer.addKey({ kid: 'other' })
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', issuer.signingKey.kid)
    issuer.setJwks({ keys: [{ ...encoded, kid: 'renamed' }, other.publicJwk] })
    await registry.refresh('acme', 'auth0')
    expect((await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)).toEqual(['other'])
  })

  it('is dropped once it is published with its private half', async () => {
    const { issuer, encoded } = await publishEncoded(algorithm, member, encode)
    const other = await issuer.addKey({ kid: 'other' })
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    const secret = { ...encoded, d: issuer.signingKey.privateJwk['d'], kid: 'renamed' }
    issuer.setJwks({ keys: [issuer.signingKey.publicJwk, secret, other.publicJwk] })
    await registry.refresh('acme', 'auth0')
    expect((await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)).toEqual(['other'])
  })
})

describe('a key whose coordinate was written without its leading zero octet', () => {
  it.each([
    ['P-256', 'ES256'],
    ['P-384', 'ES384'],
    ['P-521', 'ES512'],
  ])('verifies tokens: %s', async (namedCurve, alg) => {
    const issuer = await startIssuer()
    for (;;) {
      const { publicKey, privateKey } = generateKeys('ec', { namedCurve })
      const jwk = publicKey.export({ format: 'jwk' })
      const x = Buffer.from(String(jwk.x), 'base64url')
      if (x[0] !== 0) continue
      issuer.setJwks({ keys: [{ ...jwk, x: x.subarray(1).toString('base64url'), kid: 'short' }] })
      const signWith = privateKey.export({ format: 'jwk' }) as JWK
      const token = await issuer.sign({}, { kid: 'short', alg, signWith })
      expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('accepted')
      return
    }
  })
})

describe('a key set with null members', () => {
  it('is no published private key: the cached key stays, and no event reports a secret', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const refusals = collectRefusals(registry)
    await registry.resolve('acme', 'auth0')
    const nulls = { d: null, p: null, q: null, dp: null, dq: null, qi: null, k: null, oth: null }
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, ...nulls }] })
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({ ok: true, removed: [] })
    expect((await registry.resolve('acme', 'auth0')).keys).toHaveLength(1)
    expect(refusals).toEqual([])
  })
})

describe('a key set with nothing usable in it', () => {
  it.each([
    ['a point that is not on the curve', { x: Buffer.alloc(32, 1).toString('base64url') }],
    ['a coordinate that is cut off', { x: 'AAAA' }],
    ['a private half', { d: 'AAAA', kid: 'other', x: 'AAAA' }],
  ])('is a failed refresh, and the cached keys stay: %s', async (_, changes) => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, ...changes }] })
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({
      ok: false,
      error: { code: 'ERR_KEY_SET_MALFORMED' },
    })
    expect((await registry.resolve('acme', 'auth0')).keys).toHaveLength(1)
  })
})

describe('a key set made to exhaust the process', () => {
  it.each([5_000, 100_000])('is saved without the member of a key that nests %i deep', async (depth) => {
    const issuer = await startIssuer()
    const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`
    issuer.setJwks(`{"keys":[{"x5c":${nested},${JSON.stringify(issuer.signingKey.publicJwk).slice(1)}]}`)
    const store = memoryStore()
    const registry = startRegistry({ store, integrityKey: 'k'.repeat(32) })
    const authenticator = startAuthenticatorFor(issuer, { registry, requireHttps: undefined })
    expect(await verdict(authenticator, await issuer.sign({}, { kid: 'unknown' }))).toBe('ERR_KEY_NOT_FOUND')
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
    await registry.persistAll()
    expect(store.snapshots).toHaveLength(1)
    expect(JSON.stringify(store.snapshots)).not.toContain('x5c')
  })

  it.each([
    ['zeros', '0'],
    ['empty keys', '{}'],
    ['secrets', '{"kty":"oct"}'],
  ])('costs ten events at most, however many %s are in it', async (_, entry) => {
    const issuer = await startIssuer()
    const { publicJwk } = issuer.signingKey
    const count = Math.floor(1_000_000 / (entry.length + 1))
    issuer.setJwks(`{"keys":[${JSON.stringify(publicJwk)},${Array.from({ length: count }, () => entry).join(',')}]}`)
    const registry = await startRegistryWith(issuer)
    const refusals = collectRefusals(registry)
    expect((await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)).toEqual([publicJwk.kid])
    expect(refusals.length).toBeLessThanOrEqual(10)
    expect(refusals.map(({ reason }) => reason)).toContain('too-many')
  })
})

describe('an RSA key', () => {
  it.each([
    [1_024, 'ERR_KEY_NOT_FOUND'],
    [2_048, 'accepted'],
  ])('of %i bits: %s', async (modulusLength, outcome) => {
    const { publicKey, privateKey } = generateKeys('rsa', { modulusLength })
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
    const refusals = collectRefusals(registry)
    expect((await registry.resolve('acme', 'auth0')).keys.map(({ kid }) => kid)).toEqual(['key-1'])
    expect(refusals).toEqual([{ kid: 'rsa', reason: 'rsa-size' }])
  })
})

describe('a secret among the published keys', () => {
  it('verifies no token', async () => {
    const issuer = await startIssuer()
    const secret = { kty: 'oct', kid: 'secret', k: Buffer.from('secret').toString('base64url'), alg: 'HS256' }
    issuer.setJwks({ keys: [secret, issuer.signingKey.publicJwk] })
    const token = await issuer.sign({}, { kid: 'secret', alg: 'HS256', signWith: secret })
    expect(await verdict(startAuthenticatorFor(issuer), token)).toBe('ERR_ALGORITHM_NOT_ALLOWED')
  })
})

import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { fitsAlgorithm, readKey, thumbprintOf, type VerificationKey } from '../../src/jwks/verification-key.ts'
import { curvePointWithLeadingZero, modulusOf, samples } from './sample-keys.ts'

const { rsa, p256, p384, p521, ed25519 } = samples

function keyOf(member: unknown): VerificationKey {
  const reading = readKey(member)
  if (reading.kind !== 'key') throw new Error(`this is ${reading.kind}`)
  return reading.key
}

function verdictOn(member: unknown): string {
  const reading = readKey(member)
  return reading.kind === 'refused' ? reading.reason : reading.kind
}

describe('readKey', () => {
  it.each<[string, unknown, string]>([
    ['an RSA key', rsa, 'key'],
    ['a P-256 key', p256, 'key'],
    ['a P-384 key', p384, 'key'],
    ['a P-521 key', p521, 'key'],
    ['an Ed25519 key', ed25519, 'key'],
    ['a key with use sig', { ...p256, use: 'sig' }, 'key'],
    ['a key with key_ops verify', { ...p256, key_ops: ['sign', 'verify'] }, 'key'],
    ['a key with unknown members', { ...p256, x5c: ['a'], note: 1 }, 'key'],
    ['a key with use jwt-svid', { ...p256, use: 'jwt-svid' }, 'key'],
    ['a key whose private half is null', { ...p256, d: null }, 'key'],
    ['a key whose private half is empty', { ...rsa, d: '', p: '', q: null, oth: [] }, 'key'],
    ['a key with empty alg, use and key_ops', { ...p256, alg: '', use: '', key_ops: [] }, 'key'],
    ['a key with alg, use, key_ops and kid null', { ...rsa, alg: null, use: null, key_ops: null, kid: null }, 'key'],
    ['a key with the members of other types null', { ...ed25519, y: null, n: null, e: null, k: null }, 'key'],
    ['an RSA key of 2048 bits', { ...rsa, n: modulusOf(2048) }, 'key'],
    ['an RSA key of 8192 bits', { ...rsa, n: modulusOf(8192) }, 'key'],
    ['a key with use enc', { ...rsa, use: 'enc' }, 'not-for-signatures'],
    ['a key with an unknown use', { ...rsa, use: 'SIG' }, 'not-for-signatures'],
    ['a key with key_ops without verify', { ...p256, key_ops: ['encrypt', 'wrapKey'] }, 'not-for-signatures'],
    ['a key with key_ops that are no list', { ...p256, key_ops: 'verify' }, 'not-for-signatures'],
    ['a key for encryption by its alg', { ...rsa, alg: 'RSA-OAEP' }, 'not-for-signatures'],
    ['a key for a symmetric alg', { ...rsa, alg: 'HS256' }, 'not-for-signatures'],
    ['a key of another curve', { kty: 'EC', crv: 'secp256k1', x: p256['x'], y: p256['y'] }, 'not-for-signatures'],
    ['a key for key agreement', { kty: 'OKP', crv: 'X25519', x: ed25519['x'] }, 'not-for-signatures'],
    ['a key of a type to come', { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' }, 'not-for-signatures'],
    ['a secret', { kty: 'oct', k: 'c2VjcmV0' }, 'symmetric'],
    ['an RSA key of 1024 bits', { ...rsa, n: modulusOf(1024) }, 'rsa-size'],
    ['an RSA key of 2047 bits', { ...rsa, n: modulusOf(2047) }, 'rsa-size'],
    ['an RSA key of 1024 bits behind zeros', { ...rsa, n: zeroPadded(modulusOf(1024), 200) }, 'rsa-size'],
    ['an RSA key of 8193 bits', { ...rsa, n: modulusOf(8193) }, 'rsa-size'],
    ['an RSA key of 8200 bits', { ...rsa, n: modulusOf(8200) }, 'rsa-size'],
    ['an RSA key of zero', { ...rsa, n: 'AAAA' }, 'rsa-size'],
    ['an RSA key without n', { kty: 'RSA', e: 'AQAB' }, 'malformed'],
    ['an RSA key without e', { kty: 'RSA', n: rsa['n'] }, 'malformed'],
    ['an RSA key whose n is empty', { ...rsa, n: '' }, 'malformed'],
    ['an RSA key whose n is no text', { ...rsa, n: [rsa['n']] }, 'malformed'],
    ['an RSA key whose n has no base64 in it', { ...rsa, n: '****' }, 'malformed'],
    ['an EC key whose curve is null', { ...p256, crv: null }, 'malformed'],
    ['an EC key with a longer coordinate', { ...p256, x: `AQAB${String(p256['x'])}` }, 'malformed'],
    ['an EC key of a point that is not on the curve', { ...p256, x: p256['y'], y: p256['x'] }, 'malformed'],
    ['an EC key with a coordinate beyond the prime', { ...p256, x: octets(32, 0xff) }, 'malformed'],
    ['an EC key of the point (0, 0)', { ...p256, x: octets(32, 0), y: octets(32, 0) }, 'malformed'],
    ['an Ed25519 key with a zero octet in front', { ...ed25519, x: zeroPadded(String(ed25519['x']), 1) }, 'malformed'],
    ['an EC key with a short coordinate', { ...p256, x: 'AAAA' }, 'malformed'],
    ['an EC key without y', { kty: 'EC', crv: 'P-256', x: p256['x'] }, 'malformed'],
    ["an EC key with another curve's coordinates", { ...p256, crv: 'P-384' }, 'malformed'],
    ['an Ed25519 key with a short x', { ...ed25519, x: 'AAAA' }, 'malformed'],
    ['a kid that is a number', { ...p256, kid: 1 }, 'malformed'],
    ['a key without kty', { ...p256, kty: undefined }, 'malformed'],
    ['a key with a kty that is a list', { ...p256, kty: ['EC'] }, 'malformed'],
    ['null', null, 'malformed'],
    ['a string', 'key', 'malformed'],
    ['a list', [p256], 'malformed'],
  ])('%s: %s', (_, member, verdict) => {
    expect(verdictOn(member)).toBe(verdict)
  })

  it.each(['rsa', 'ec', 'ed25519'] as const)(
    'refuses a private key, and returns the material of its public half: %s',
    (type) => {
      const pair =
        type === 'rsa'
          ? generateKeys('rsa', { modulusLength: 2048 })
          : type === 'ec'
            ? generateKeys('ec', { namedCurve: 'P-256' })
            : generateKeys('ed25519')
      const jwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k' }
      const { material } = keyOf(pair.publicKey.export({ format: 'jwk' }))
      expect(readKey(jwk)).toEqual({ kind: 'refused', reason: 'private', kid: 'k', material })
    },
  )

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('takes the member %s alone for a private half', (name) => {
    expect(verdictOn({ ...rsa, [name]: 'AQAB' })).toBe('private')
  })

  it.each([
    ['Aw', 'key'],
    ['AQAB', 'key'],
    ['AAAAAQAB', 'key'],
    ['_____w', 'key'],
    ['AQ', 'forgeable'],
    ['AAAB', 'forgeable'],
    ['AA', 'rsa-exponent'],
    ['Ag', 'rsa-exponent'],
    ['AQAA', 'rsa-exponent'],
    ['AQAAAAE', 'rsa-exponent'],
    [octets(300, 0xff), 'rsa-exponent'],
  ])('judges the RSA exponent %s: %s', (e, verdict) => {
    expect(verdictOn({ ...rsa, e })).toBe(verdict)
  })

  it('gives keys the same identity whatever the order of their members and unused members are', () => {
    const reordered = Object.fromEntries(Object.entries({ ...rsa, kid: 'k' }).toReversed())
    expect(keyOf(reordered).identity).toBe(keyOf({ ...rsa, kid: 'k', x5t: 'a' }).identity)
  })

  it.each([
    ['kid', 'other'],
    ['alg', 'RS256'],
    ['use', 'sig'],
    ['key_ops', ['verify']],
    ['issuer', 'https://other.example'],
  ])('gives a key with another %s another identity', (name, value) => {
    expect(keyOf({ ...rsa, [name]: value }).identity).not.toBe(keyOf(rsa).identity)
  })

  it('freezes the key', () => {
    expect(Object.isFrozen(keyOf(rsa).jwk)).toBe(true)
  })

  it.each([
    ['padding', (text: string) => `${text}==`],
    ['standard base64', (text: string) => Buffer.from(text, 'base64url').toString('base64')],
    ['leading zeros', (text: string) => zeroPadded(text, 3)],
    ['line breaks', (text: string) => text.replaceAll(/.{20}/g, '$&\r\n')],
  ])('keeps an RSA key without its %s', (_, encode) => {
    const encoded = { ...rsa, n: encode(String(rsa['n'])), e: encode(String(rsa['e'])) }
    expect(keyOf(encoded)).toEqual(keyOf(rsa))
  })

  it.each(['P-256', 'P-384', 'P-521'])('keeps %s coordinates in full length', (crv) => {
    const point = curvePointWithLeadingZero(crv)
    const short = Buffer.from(String(point['x']), 'base64url').subarray(1).toString('base64url')
    const long = zeroPadded(String(point['y']), 1)
    expect(keyOf({ ...point, x: short, y: long })).toEqual(keyOf(point))
    expect(keyOf(point).jwk).toMatchObject(point)
  })

  it('takes another P-256 point for another key', () => {
    expect(keyOf(samples.otherP256).material).not.toBe(keyOf(p256).material)
  })

  it('keeps only the members that are used', () => {
    const kept = { ...rsa, kid: 'a', alg: 'RS256', use: 'sig', key_ops: ['verify'], issuer: 'https://a.example' }
    const unused = { x5c: ['AAAA'], x5t: 'AAAA', ext: true, y: null, crv: '', nested: { deep: [1] } }
    expect(keyOf({ ...unused, ...kept }).jwk).toEqual(kept)
  })

  it.each([
    ['members of the set', (nested: string) => `{"nested":${nested},`],
    ['key_ops', (nested: string) => `{"key_ops":["verify",${nested}],`],
    ['issuer', (nested: string) => `{"issuer":${nested},`],
    ['private members', (nested: string) => `{"d":${nested},`],
  ])('keeps a key or refuses it where %s nest 5 000 deep', (_, prefix) => {
    const nested = `${'['.repeat(5_000)}${']'.repeat(5_000)}`
    const reading = readKey(JSON.parse(`${prefix(nested)}${JSON.stringify(rsa).slice(1)}`))
    expect(JSON.stringify(reading).length).toBeLessThan(3_000)
  })
})

describe('thumbprintOf', () => {
  it.each(Object.entries(samples))("is jose's RFC 7638 thumbprint: %s", async (_, sample) => {
    const key = keyOf({ ...sample, kid: 'a', alg: '', d: null })
    expect(thumbprintOf(key)).toBe(await calculateJwkThumbprint(key.jwk))
    expect(thumbprintOf(key)).toBe(await calculateJwkThumbprint(sample))
  })

  it('is the same for every encoding of a key', () => {
    const encoded = { ...rsa, n: `${zeroPadded(String(rsa['n']), 2)}=` }
    expect(thumbprintOf(keyOf(encoded))).toBe(thumbprintOf(keyOf(rsa)))
  })
})

describe('fitsAlgorithm', () => {
  const rsaAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
  const all = [...rsaAlgorithms, 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'HS256', 'none', 'rs256', 'ES256K', '']
  it.each<[string, unknown, readonly string[]]>([
    ['an RSA key', rsa, rsaAlgorithms],
    ['an RSA key for PS256', { ...rsa, alg: 'PS256' }, ['PS256']],
    ['a P-256 key', p256, ['ES256']],
    ['a P-384 key', p384, ['ES384']],
    ['a P-521 key', p521, ['ES512']],
    ['a P-256 key that says ES384', { ...p256, alg: 'ES384' }, []],
    ['an Ed25519 key', ed25519, ['EdDSA', 'Ed25519']],
    ['an Ed25519 key for EdDSA', { ...ed25519, alg: 'EdDSA' }, ['EdDSA', 'Ed25519']],
    ['an Ed25519 key for Ed25519', { ...ed25519, alg: 'Ed25519' }, ['EdDSA', 'Ed25519']],
  ])('accepts %s for its own algorithms only', (_, member, fitting) => {
    expect(all.filter((alg) => fitsAlgorithm(keyOf(member), alg))).toEqual(fitting)
  })
})

function zeroPadded(integer: string, zeros: number): string {
  return Buffer.concat([Buffer.alloc(zeros), Buffer.from(integer, 'base64url')]).toString('base64url')
}

function octets(length: number, value: number): string {
  return Buffer.alloc(length, value).toString('base64url')
}

import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fitsAlgorithm, readKey, type VerificationKey } from '../../src/jwks/verification-key.ts'
import { modulusOf, samples } from './sample-keys.ts'

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

describe('a member of a key set', () => {
  it.each<[string, unknown, string]>([
    ['an RSA key', rsa, 'key'],
    ['a P-256 key', p256, 'key'],
    ['a P-384 key', p384, 'key'],
    ['a P-521 key', p521, 'key'],
    ['an Ed25519 key', ed25519, 'key'],
    ['a key with use sig', { ...p256, use: 'sig' }, 'key'],
    ['a key with key_ops verify', { ...p256, key_ops: ['sign', 'verify'] }, 'key'],
    ['a key with members that nobody knows', { ...p256, x5c: ['a'], note: 1 }, 'key'],
    ['an RSA key of 2048 bits', { ...rsa, n: modulusOf(2048) }, 'key'],
    ['an RSA key of 8192 bits', { ...rsa, n: modulusOf(8192) }, 'key'],
    ['a key with use enc', { ...rsa, use: 'enc' }, 'not-for-signatures'],
    ['a key with an unknown use', { ...rsa, use: 'SIG' }, 'not-for-signatures'],
    ['a key with key_ops without verify', { ...p256, key_ops: ['encrypt', 'wrapKey'] }, 'not-for-signatures'],
    ['a key without any key_ops', { ...p256, key_ops: [] }, 'not-for-signatures'],
    ['a key with key_ops that are no list', { ...p256, key_ops: 'verify' }, 'not-for-signatures'],
    ['a key for encryption by its alg', { ...rsa, alg: 'RSA-OAEP' }, 'not-for-signatures'],
    ['a key for a symmetric alg', { ...rsa, alg: 'HS256' }, 'not-for-signatures'],
    ['a key of another curve', { kty: 'EC', crv: 'secp256k1', x: p256['x'], y: p256['y'] }, 'not-for-signatures'],
    ['a key for key agreement', { kty: 'OKP', crv: 'X25519', x: ed25519['x'] }, 'not-for-signatures'],
    ['a key of a type to come', { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' }, 'not-for-signatures'],
    ['a secret', { kty: 'oct', k: 'c2VjcmV0' }, 'symmetric'],
    ['an RSA key of 1024 bits', { ...rsa, n: modulusOf(1024) }, 'rsa-size'],
    ['an RSA key of 2047 bits', { ...rsa, n: modulusOf(2047) }, 'rsa-size'],
    ['an RSA key of 1024 bits behind zeros', { ...rsa, n: zeroPadded(modulusOf(1024)) }, 'rsa-size'],
    ['an RSA key of 8193 bits', { ...rsa, n: modulusOf(8193) }, 'rsa-size'],
    ['an RSA key of 8200 bits', { ...rsa, n: modulusOf(8200) }, 'rsa-size'],
    ['an RSA key of zero', { ...rsa, n: 'AAAA' }, 'rsa-size'],
    ['an RSA key without n', { kty: 'RSA', e: 'AQAB' }, 'malformed'],
    ['an RSA key without e', { kty: 'RSA', n: rsa['n'] }, 'malformed'],
    ['an RSA key in plain base64', { ...rsa, n: `${String(rsa['n'])}==` }, 'malformed'],
    ['an EC key with a short coordinate', { ...p256, x: 'AAAA' }, 'malformed'],
    ['an EC key without y', { kty: 'EC', crv: 'P-256', x: p256['x'] }, 'malformed'],
    ["an EC key with another curve's coordinates", { ...p256, crv: 'P-384' }, 'malformed'],
    ['an Ed25519 key with a short x', { ...ed25519, x: 'AAAA' }, 'malformed'],
    ['a kid that is a number', { ...p256, kid: 1 }, 'malformed'],
    ['a kid that is null', { ...p256, kid: null }, 'malformed'],
    ['a key without kty', { ...p256, kty: undefined }, 'malformed'],
    ['a key with a kty that is a list', { ...p256, kty: ['EC'] }, 'malformed'],
    ['null', null, 'malformed'],
    ['a string', 'key', 'malformed'],
    ['a list', [p256], 'malformed'],
  ])('%s: %s', (_, member, verdict) => {
    expect(verdictOn(member)).toBe(verdict)
  })

  it.each(['rsa', 'ec', 'ed25519'] as const)(
    'with its private half is refused, and its public part told: %s',
    (type) => {
      const pair =
        type === 'rsa'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : type === 'ec'
            ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
            : generateKeyPairSync('ed25519')
      const jwk = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'k' }
      const { material } = keyOf(pair.publicKey.export({ format: 'jwk' }))
      expect(readKey(jwk)).toEqual({ kind: 'refused', reason: 'private', kid: 'k', material })
    },
  )

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('is compromised by the private member %s alone', (name) => {
    expect(verdictOn({ ...rsa, [name]: 'AQAB' })).toBe('private')
  })

  it('keeps its identity over the order of its members, and over what does not restrict it', () => {
    const reordered = Object.fromEntries(Object.entries({ ...rsa, kid: 'k' }).toReversed())
    expect(keyOf(reordered).identity).toBe(keyOf({ ...rsa, kid: 'k', x5t: 'a' }).identity)
  })

  it.each([
    ['kid', 'other'],
    ['alg', 'RS256'],
    ['use', 'sig'],
    ['key_ops', ['verify']],
    ['issuer', 'https://other.example'],
  ])('has another identity with another %s', (name, value) => {
    expect(keyOf({ ...rsa, [name]: value }).identity).not.toBe(keyOf(rsa).identity)
  })

  it('cannot be changed after it was read', () => {
    expect(Object.isFrozen(keyOf(rsa).jwk)).toBe(true)
  })
})

describe('a key fits an algorithm', () => {
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
  ])('%s: only its own', (_, member, fitting) => {
    expect(all.filter((alg) => fitsAlgorithm(keyOf(member), alg))).toEqual(fitting)
  })
})

function zeroPadded(n: string): string {
  return Buffer.concat([Buffer.alloc(200), Buffer.from(n, 'base64url')]).toString('base64url')
}

import type { KeyObject, KeyPairKeyObjectResult } from 'node:crypto'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import fc from 'fast-check'
import { calculateJwkThumbprint, createLocalJWKSet, importJWK, jwtVerify, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseToken } from '../../packages/core/src/auth/parse-token.ts'
import { verifySignature } from '../../packages/core/src/auth/signing-key.ts'
import { readKeySet, selectKeys } from '../../packages/core/src/jwks/key-set.ts'
import {
  createKeyImporter,
  readKey,
  thumbprintOf,
  type VerificationKey,
} from '../../packages/core/src/jwks/verification-key.ts'
import { type PublishedKey, reencodings } from './key-encodings.ts'

const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const

/** A key pair whose encoding begins with a zero octet where the key type allows: encoders differ there. */
function pairFor(alg: string): KeyPairKeyObjectResult {
  if (alg === 'EdDSA') return generateKeys('ed25519')
  if (alg === 'RS256' || alg === 'PS256') return generateKeys('rsa', { modulusLength: 2048 })
  for (;;) {
    const pair = generateKeys('ec', { namedCurve: curves[alg as keyof typeof curves] })
    if (Buffer.from(publicJwk(pair.publicKey)['x'] as string, 'base64url')[0] === 0) return pair
  }
}

function publicJwk(key: KeyObject): PublishedKey {
  return key.export({ format: 'jwk' })
}

function keyOf(member: unknown): VerificationKey {
  const reading = readKey(member)
  if (reading.kind !== 'key') throw new Error(`not a key: ${JSON.stringify(reading)}`)
  return reading.key
}

/** True where the keys that a set has for a token verify it. */
async function isVerifiedBy(set: unknown, token: string): Promise<boolean> {
  const parsed = parseToken(token)
  if (parsed instanceof Error) throw parsed
  const reading = readKeySet(set, 10)
  const keys = reading === undefined ? [] : selectKeys(reading.keySet, parsed.header.kid, parsed.header.alg)
  for (const key of keys) {
    const imported = createKeyImporter().importKey(key, parsed.header.alg)
    if (imported !== undefined && (await verifySignature(imported, parsed))) return true
  }
  return false
}

describe.each(['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'])('a published key for %s', (alg) => {
  const { publicKey, privateKey } = pairFor(alg)
  const published = { ...publicJwk(publicKey), kid: 'a' }
  let token = ''

  beforeAll(async () => {
    token = await new SignJWT({ sub: 'user' }).setProtectedHeader({ alg, kid: 'a' }).sign(privateKey)
  })

  it('has one identity, thumbprint and canonical form in all its encodings, and verifies the same token', async () => {
    const canonical = keyOf(published)
    const thumbprint = await calculateJwkThumbprint(published)
    let imports = 0
    await fc.assert(
      fc.asyncProperty(reencodings(published), async (encoded) => {
        const key = keyOf(encoded)
        expect(key.identity).toBe(canonical.identity)
        expect(key.jwk).toEqual(published)
        expect(thumbprintOf(key)).toBe(thumbprint)
        expect(await isVerifiedBy({ keys: [encoded] }, token)).toBe(true)
        imports += await importJWK(encoded, alg).then(
          () => 1,
          () => 0,
        )
      }),
      { numRuns: 200 },
    )
    // jose imports these encodings, too; it refuses some of the empty members.
    expect(imports).toBeGreaterThan(5)
  })

  it('is one key where it is published in several encodings', () => {
    fc.assert(
      fc.property(fc.array(reencodings(published), { minLength: 1, maxLength: 5 }), (keys) => {
        const reading = readKeySet({ keys: [...keys, published] }, 10)
        expect(reading?.keySet.keys).toHaveLength(1)
        expect(reading?.refused.count).toBe(0)
      }),
      { numRuns: 100 },
    )
  })

  it('is compromised in all its encodings once one of them is published with its private half', () => {
    const { d } = privateKey.export({ format: 'jwk' })
    fc.assert(
      fc.property(reencodings(published), reencodings(published), (secret, encoded) => {
        const reading = readKeySet({ keys: [encoded, { ...secret, d }] }, 10)
        expect(reading?.keySet.keys).toEqual([])
        expect([...(reading?.compromised ?? [])]).toEqual([keyOf(published).material])
      }),
      { numRuns: 100 },
    )
  })

  it('verifies whatever it verifies with the key set of jose, with any members changed', async () => {
    const values = fc.oneof(
      fc.constantFrom<unknown>(
        undefined,
        null,
        '',
        [],
        true,
        1,
        {},
        'a',
        'sig',
        'enc',
        'P-256',
        'RS256',
        'ES256',
        'EdDSA',
      ),
      fc.constantFrom<unknown>(alg, ['verify'], ['verify', 'sign'], ['sign'], ['verify', 'verify'], 'verify'),
    )
    const names = fc.constantFrom('alg', 'use', 'key_ops', 'crv', 'ext', 'x5c', 'issuer', 'y', 'e')
    const changes = fc.dictionary(names, values, { maxKeys: 3 })
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(reencodings(published), changes, fc.boolean(), async (encoded, changed, isChanged) => {
        const keys = [{ kty: '', ...encoded, ...(isChanged ? changed : {}) }]
        const byJose = await jwtVerify(token, createLocalJWKSet({ keys })).then(
          () => true,
          () => false,
        )
        if (!byJose) return
        accepted += 1
        expect(await isVerifiedBy({ keys }, token)).toBe(true)
      }),
      { numRuns: 300 },
    )
    expect(accepted).toBeGreaterThan(10)
  })
})

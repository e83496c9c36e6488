import { createPublicKey, type KeyObject, randomBytes, sign, type VerifyKeyObjectInput } from 'node:crypto'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { describe, expect, it } from 'vitest'
import { createSignatureCheck } from '../../src/auth/signing-key.ts'
import type { ImportedKey } from '../../src/jwks/verification-key.ts'

const signingInput = 'header.payload'

function imported(keyObject: KeyObject, hash: ImportedKey['hash'], options: object = {}): ImportedKey {
  const verifyInput: VerifyKeyObjectInput = { ...options, key: keyObject }
  return { keyObject, hash, verifyInput }
}

const ec = (namedCurve: string) => generateKeys('ec', { namedCurve })
const p256 = ec('P-256')
const dsa = { dsaEncoding: 'ieee-p1363' } as const
const signature = sign('sha256', Buffer.from(signingInput), { key: p256.privateKey, ...dsa })
const cheap = imported(p256.publicKey, 'sha256', dsa)
const token = { signingInput, signature }

/** A public key of any size; nothing has to be signed with it. */
function rsaKey(bits: number): KeyObject {
  const n = randomBytes(bits / 8)
  n[0] = (n[0] ?? 0) | 0x80
  n[n.length - 1] = (n[n.length - 1] ?? 0) | 1
  return createPublicKey({ key: { kty: 'RSA', e: 'AQAB', n: n.toString('base64url') }, format: 'jwk' })
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a signature check', () => {
  it.each([
    ['P-256', p256.publicKey, 'sha256'],
    ['Ed25519', generateKeys('ed25519').publicKey, null],
    ['RSA of 2048 bits', rsaKey(2048), 'sha256'],
    ['RSA of 4096 bits', rsaKey(4096), 'sha256'],
  ] as const)('with a key of %s runs on the spot', (_, key, hash) => {
    expect(createSignatureCheck()(imported(key, hash), { signingInput, signature: Buffer.alloc(64) })).toBe(false)
  })

  it.each([
    ['P-384', ec('P-384').publicKey, 'sha384'],
    ['P-521', ec('P-521').publicKey, 'sha512'],
    ['RSA of 4104 bits', rsaKey(4104), 'sha256'],
    ['RSA of 8192 bits', rsaKey(8192), 'sha256'],
  ] as const)('with a key of %s runs on the thread pool', async (_, key, hash) => {
    const result = createSignatureCheck()(imported(key, hash), { signingInput, signature: Buffer.alloc(64) })
    expect(result).toBeInstanceOf(Promise)
    expect(await result).toBe(false)
  })

  it('runs on the spot for the first four of a turn, then on the thread pool, and on the spot in the next turn', async () => {
    const check = createSignatureCheck()
    for (const _ of [1, 2]) {
      const results = Array.from({ length: 6 }, () => check(cheap, token))
      expect(results.map((result) => typeof result)).toEqual([...Array(4).fill('boolean'), 'object', 'object'])
      expect(await Promise.all(results.map(async (result) => await result))).toEqual(results.map(() => true))
      await nextTurn()
    }
  })

  it('does not count checks with expensive keys', async () => {
    const check = createSignatureCheck()
    const expensive = imported(ec('P-384').publicKey, 'sha384')
    const pool = Array.from({ length: 10 }, () => check(expensive, { signingInput, signature: Buffer.alloc(96) }))
    expect(check(cheap, token)).toBe(true)
    expect(await Promise.all(pool.map(async (result) => await result))).toEqual(pool.map(() => false))
  })
})

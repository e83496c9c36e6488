import type { KeyObject, KeyPairKeyObjectResult } from 'node:crypto'
import { generateKeys } from '@jwks-auth/test-support/generate-keys'

/** A public key as a plain JWK, with whatever else it should say. */
export type SampleKey = Readonly<Record<string, unknown>>

function publicJwk({ publicKey }: { readonly publicKey: KeyObject }): SampleKey {
  return publicKey.export({ format: 'jwk' })
}

/** Keys that may verify, made once. */
export const samples = {
  rsa: publicJwk(generateKeys('rsa', { modulusLength: 2048 })),
  p256: publicJwk(generateKeys('ec', { namedCurve: 'P-256' })),
  otherP256: publicJwk(generateKeys('ec', { namedCurve: 'P-256' })),
  p384: publicJwk(generateKeys('ec', { namedCurve: 'P-384' })),
  p521: publicJwk(generateKeys('ec', { namedCurve: 'P-521' })),
  ed25519: publicJwk(generateKeys('ed25519')),
}

/** A new key pair for this algorithm. */
export function keyPairFor(alg: string): KeyPairKeyObjectResult {
  if (alg.startsWith('Ed')) return generateKeys('ed25519')
  const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg]
  if (namedCurve !== undefined) return generateKeys('ec', { namedCurve })
  return generateKeys('rsa', { modulusLength: 2048 })
}

/** A public key on this curve whose `x` begins with a zero octet, which some encoders leave out. */
export function curvePointWithLeadingZero(namedCurve: string): SampleKey {
  for (;;) {
    const key = publicJwk(generateKeys('ec', { namedCurve }))
    if (Buffer.from(String(key['x']), 'base64url')[0] === 0) return key
  }
}

/** Base64url of an integer with exactly that many bits. */
export function modulusOf(bits: number): string {
  const bytes = Buffer.alloc(Math.ceil(bits / 8), 0xff)
  bytes[0] = 0xff >> (bytes.length * 8 - bits)
  return bytes.toString('base64url')
}

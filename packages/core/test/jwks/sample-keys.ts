import { generateKeyPairSync, type KeyObject } from 'node:crypto'

/** A public key as a plain JWK, with whatever else it should say. */
export type SampleKey = Readonly<Record<string, unknown>>

function publicJwk({ publicKey }: { readonly publicKey: KeyObject }): SampleKey {
  return publicKey.export({ format: 'jwk' })
}

/** Keys that may verify, made once. */
export const samples = {
  rsa: publicJwk(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  p256: publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  otherP256: publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  p384: publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-384' })),
  p521: publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-521' })),
  ed25519: publicJwk(generateKeyPairSync('ed25519')),
}

/** Base64url of an integer with exactly that many bits. */
export function modulusOf(bits: number): string {
  const bytes = Buffer.alloc(Math.ceil(bits / 8), 0xff)
  bytes[0] = 0xff >> (bytes.length * 8 - bits)
  return bytes.toString('base64url')
}

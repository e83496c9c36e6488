import type { TokenHeader } from '../../../packages/core/src/auth/parse-token.ts'
import { verifySignature } from '../../../packages/core/src/auth/signing-key.ts'
import { type KeySetReading, readKeySet, selectKeys } from '../../../packages/core/src/jwks/key-set.ts'
import { createKeyImporter } from '../../../packages/core/src/jwks/verification-key.ts'

/** What becomes of a key set of one key. */
export function readSetOf(key: object): KeySetReading {
  const reading = readKeySet({ keys: [key] }, 1)
  if (reading === undefined) throw new Error('this is no key set')
  return reading
}

/** Verifies a message, which need not be a JWT, with the key that a set of this one has for it. */
export async function isSigned(token: string, publicKey: object): Promise<boolean> {
  const [protectedHeader = '', payload = '', signature = ''] = token.split('.')
  const header = JSON.parse(Buffer.from(protectedHeader, 'base64url').toString()) as TokenHeader
  const [key] = selectKeys(readSetOf(publicKey).keySet, header.kid, header.alg)
  const imported = key && createKeyImporter().importKey(key, header.alg)
  if (imported === undefined) return false
  return await verifySignature(imported, {
    signature: Buffer.from(signature, 'base64url'),
    signingInput: `${protectedHeader}.${payload}`,
  })
}

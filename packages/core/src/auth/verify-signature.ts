import type { CryptoKey } from 'jose'
import { algorithmDefinition } from '../keys/algorithms.ts'
import type { ParsedToken } from './parse-token.ts'

/**
 * Checks the signature over the token's signing input (RFC 7515 §5.2, step 8).
 *
 * This one step is Web Crypto's and not jose's, because the strict parse that comes before it would otherwise be done
 * twice; the key was imported by jose for the token's `alg`, which was allowed and fits the key.
 */
export function verifySignature(
  key: CryptoKey,
  { header, signingInput, signature }: ParsedToken,
): boolean | Promise<boolean> {
  const definition = algorithmDefinition(header.alg)
  if (definition === undefined) return false
  return crypto.subtle.verify(definition.verifyParameters, key, signature, Buffer.from(signingInput, 'latin1'))
}

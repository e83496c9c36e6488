import { verify } from 'node:crypto'
import type { ImportedKey } from '../jwks/import-key.ts'
import type { ParsedToken } from './parse-token.ts'

/**
 * Checks the signature over the token's signing input (RFC 7515 §5.2, step 8), on another thread.
 *
 * This one step is Node's and not jose's, because the strict parse that comes before it would otherwise be done twice.
 * The algorithm is the one that jose has imported the key for: the token's, which was allowed and fits the key.
 */
export function verifySignature(
  { hash, verifyInput }: ImportedKey,
  { signingInput, signature }: Pick<ParsedToken, 'signingInput' | 'signature'>,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(hash, Buffer.from(signingInput, 'latin1'), verifyInput, signature, (error, isSigned) => {
      if (error === null) resolve(isSigned)
      else reject(error)
    })
  })
}

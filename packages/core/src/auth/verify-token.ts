import { KeyNotFoundError, SignatureInvalidError } from '../base/errors/request-errors.ts'
import type { ProviderCache } from '../cache/provider-cache.ts'
import type { VerificationKey } from '../keys/verification-key.ts'
import { vouchesForIssuer } from './key-issuer.ts'
import type { ParsedToken } from './parse-token.ts'
import { verifySignature } from './verify-signature.ts'

/**
 * Checks the token's signature with the provider's keys. Where none of them verifies it, the provider may have put
 * other material under the same `kid`, so within the budget for unknown `kid`s there is one more look.
 *
 * @param askedAt when the request began to wait, in milliseconds since the epoch: its deadline counts from here
 * @throws SignatureInvalidError, KeyNotFoundError, KeyRevokedError or KeysUnavailableError
 */
export async function verifyToken(token: ParsedToken, cache: ProviderCache, askedAt: number): Promise<void> {
  const { kid, alg } = token.header
  const keys = await cache.find(kid, alg, askedAt)
  if (await isSignedByOneOf(keys, token, cache)) return
  const others = await cache.findOthers(kid, alg, keys, askedAt)
  if (others.length > 0 && (await isSignedByOneOf(others, token, cache))) return
  throw new SignatureInvalidError()
}

async function isSignedByOneOf(
  keys: readonly VerificationKey[],
  token: ParsedToken,
  cache: ProviderCache,
): Promise<boolean> {
  let imported = 0
  for (const key of keys) {
    if (!vouchesForIssuer(key, token.payload)) continue
    const cryptoKey = await cache.importKey(key, token.header.alg)
    if (cryptoKey === undefined) continue
    imported += 1
    if (await verifySignature(cryptoKey, token)) return true
  }
  // None that may be used: as if there were none.
  if (imported === 0) throw new KeyNotFoundError()
  return false
}

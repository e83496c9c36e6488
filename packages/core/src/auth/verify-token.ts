import type { Instant } from '../base/clock.ts'
import { KeyNotFoundError, SignatureInvalidError } from '../base/errors/request-errors.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import { vouchesForIssuer } from './key-issuer.ts'
import type { ParsedToken } from './parse-token.ts'
import { verifySignature } from './verify-signature.ts'

/**
 * The key, of those that were found for a token, that verifies its signature; `undefined` where none does.
 *
 * @throws KeyNotFoundError where none of them may be used for it
 */
export async function signerAmong(
  keys: readonly VerificationKey[],
  token: ParsedToken,
  cache: ProviderCache,
): Promise<VerificationKey | undefined> {
  let imported = 0
  for (const key of keys) {
    if (!vouchesForIssuer(key, token.payload)) continue
    const importedKey = cache.importKey(key, token.header.alg)
    if (importedKey === undefined) continue
    imported += 1
    if (await verifySignature(importedKey, token)) return key
  }
  // None that may be used: as if there were none.
  if (imported === 0) throw new KeyNotFoundError()
  return undefined
}

/**
 * The key that verifies a token's signature where none of those `tried` does: the provider may have put other material
 * under the same `kid`, so within the budget for unknown `kid`s there is one more look.
 *
 * @param askedAt when the request began to wait: its deadline counts from here
 * @throws SignatureInvalidError, KeyNotFoundError, KeyRevokedError or KeysUnavailableError
 */
export async function signerAmongOthers(
  tried: readonly VerificationKey[],
  token: ParsedToken,
  cache: ProviderCache,
  askedAt: Instant,
): Promise<VerificationKey> {
  const { kid, alg } = token.header
  const others = await cache.findOtherKeys(kid, alg, tried, askedAt)
  if (others instanceof Error) throw others
  const other = others.length === 0 ? undefined : await signerAmong(others, token, cache)
  if (other === undefined) throw new SignatureInvalidError()
  return other
}

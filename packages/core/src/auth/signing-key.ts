import type { Instant } from '../base/clock.ts'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeyNotFoundError, SignatureInvalidError } from '../base/errors/request-errors.ts'
import type { Steps } from '../base/steps.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import { vouchesForIssuer } from './key-issuer.ts'
import type { ParsedToken } from './parse-token.ts'
import { type RequestContext, wait } from './request-context.ts'
import { createSignatureCheck } from './verify-signature.ts'

/** The keys that may have signed a token, and when they were asked for: the time limit of a refetch counts from there. */
export interface FoundSigningKeys {
  readonly keys: readonly VerificationKey[]
  readonly askedAt: Instant
}

/** Creates the search for the key that verifies a token's signature; it returns an error where there is none. */
export function createSigningKeySearch() {
  const checkSignature = createSignatureCheck()

  /** The one of these keys that verifies the signature; `undefined` if none does, an error if none may be used. */
  function* signerAmong(
    keys: readonly VerificationKey[],
    token: ParsedToken,
    cache: ProviderCache,
    context: RequestContext,
  ): Steps<VerificationKey | KeyNotFoundError | undefined> {
    let isAnyUsable = false
    for (const key of keys) {
      if (!vouchesForIssuer(key, token.payload)) continue
      const imported = cache.importKey(key, token.header.alg)
      if (imported === undefined) continue
      isAnyUsable = true
      if (yield* wait(context, checkSignature(imported, token))) return key
    }
    return isAnyUsable ? undefined : new KeyNotFoundError()
  }

  return function* findSigningKey(
    { keys, askedAt }: FoundSigningKeys,
    token: ParsedToken,
    cache: ProviderCache,
    context: RequestContext,
  ): Steps<VerificationKey | JwksAuthError> {
    const { kid, alg } = token.header
    const signer = yield* signerAmong(keys, token, cache, context)
    if (signer !== undefined) return signer
    // The provider may have published new material under the same `kid`: one more search, within the refetch budget.
    const others = yield* wait(context, cache.findOtherKeys(kid, alg, keys, askedAt))
    context.hasWaitedSinceKey = false
    if (others instanceof JwksAuthError) return others
    const other = others.length === 0 ? undefined : yield* signerAmong(others, token, cache, context)
    return other ?? new SignatureInvalidError()
  }
}

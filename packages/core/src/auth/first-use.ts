import type { Instant } from '../base/clock.ts'
import type { KeysOrRefusal } from '../jwks-cache/provider-cache.ts'
import type { Auth } from './auth.ts'
import { createAuth } from './auth.ts'
import { askSchema, askValidate, type ClaimsSchema, type Validate } from './callbacks.ts'
import type { ParsedToken } from './parse-token.ts'
import { bytesOfJson, copyPlainData } from './plain-data.ts'
import type { AuthProvider } from './provider-table.ts'
import { createVerifiedToken, type VerifiedToken } from './verified-token.ts'
import { signerAmong, signerAmongOthers } from './verify-token.ts'

/** What came of a token's verification. */
export interface FirstUse<Claims> {
  /** For the request that it was done for. */
  readonly auth: Auth<Claims>
  /** For later ones; absent where nothing is kept, or the token's claims nest too deeply to be copied. */
  readonly verified: VerifiedToken | undefined
}

/** What is asked of a token once. */
export interface FirstUseRules {
  readonly schema: ClaimsSchema | undefined
  readonly validate: Validate | undefined
  /** Keeps what was verified; absent where nothing is kept. */
  readonly keep: ((verified: VerifiedToken) => void) | undefined
}

/**
 * Verifies a token whose claims are in order: the signature, then what the application asks of it.
 *
 * @param found the keys that its provider's cache has found for it
 * @param askedAt when the request began to wait
 * @throws an error of `request-errors.ts` or `claim-errors.ts`, or CallbackFailure
 */
export async function verifyFirst<Claims>(
  token: ParsedToken,
  provider: AuthProvider,
  found: KeysOrRefusal | Promise<KeysOrRefusal>,
  askedAt: Instant,
  { schema, validate, keep }: FirstUseRules,
): Promise<FirstUse<Claims>> {
  const { cache } = provider.registered
  // Most often there is nothing to wait for but the signature, and then nothing else is waited for.
  const keys = found instanceof Promise ? await found : found
  if (keys instanceof Error) throw keys
  const key = (await signerAmong(keys, token, cache)) ?? (await signerAmongOthers(keys, token, cache, askedAt))
  cache.signatureVerified(key)
  const { payload } = token
  const bytes = keep !== undefined ? bytesOfJson(token.header) + bytesOfJson(payload) : Number.POSITIVE_INFINITY
  const canBeKept = Number.isFinite(bytes)
  let claims: unknown = payload
  // A schema may hand on parts of what it is given, and a handler may write to those.
  if (schema !== undefined) claims = await askSchema(schema, canBeKept ? copyPlainData(payload) : payload)
  const verified = canBeKept ? createVerifiedToken(token, provider, key, claims, bytes) : undefined
  // Without a schema `Claims` is AccessTokenClaims, of which `iss` and `exp` were checked.
  const auth = createAuth(provider.registered.key, token, claims as Claims)
  if (validate !== undefined) await askValidate(validate, auth)
  if (verified !== undefined) keep?.(verified)
  return { auth, verified }
}

import type { VerificationKey } from '../jwks/verification-key.ts'
import { type Auth, createAuth, partsOf, type UserAuthentication } from './auth.ts'
import type { AuthProvider } from './auth-providers.ts'
import { issuerOf, type TokenTimes, tokenTimes } from './check-claims.ts'
import { bytesOfJson, cloneJson, isJsonData } from './json-clone.ts'
import type { ParsedToken, TokenHeader } from './parse-token.ts'

/** A verified token, as it is cached. None of it is handed out: each request gets clones. */
export interface VerifiedToken extends TokenTimes {
  readonly text: string
  /** The provider by whose rules it was verified. */
  readonly provider: AuthProvider
  readonly issuer: string
  /** The key that verified it. An equal one that a refresh or a restart has created takes its place. */
  key: VerificationKey
  readonly header: TokenHeader
  /** The claims; where the schema's output cannot be cloned, those that the schema is given. */
  readonly claims: unknown
  /** True where the schema has to run for each request. */
  readonly needsSchema: boolean
  readonly scopes: readonly string[]
  readonly authentication: UserAuthentication
  /** `exp`, in milliseconds since the epoch. */
  readonly expiresAt: number
  /** False where header or claims nest too deeply to be cloned: such a token is not cached. */
  readonly isCloneable: boolean
  /** An estimate of what it takes in memory. */
  readonly bytes: number
}

/** What an entry takes beside text, names and values; docs/decisions/011-verified-token-cache.md has the measurement. */
const ENTRY_BYTES = 1_024

/**
 * Creates the cache entry of a token that was verified with this key.
 *
 * @param output what the schema made of the claims; the payload where there is no schema
 * @param derived {@link bytesOf} the token, and its scopes
 */
export function createVerifiedToken(
  { text, header, payload }: ParsedToken,
  provider: AuthProvider,
  key: VerificationKey,
  output: unknown,
  { bytes, scopes }: { readonly bytes: number; readonly scopes: readonly string[] },
): VerifiedToken {
  const isOwnOutput = output !== payload && isJsonData(output)
  const needsSchema = output !== payload && !isOwnOutput
  return {
    ...tokenTimes(payload, provider.rules),
    // Copied: a slice of the request's header would keep all of that in memory.
    text: Buffer.from(text, 'latin1').toString('latin1'),
    provider,
    issuer: issuerOf(payload),
    key,
    header,
    claims: isOwnOutput ? cloneJson(output) : payload,
    needsSchema,
    scopes,
    authentication: {
      acr: payload['acr'],
      authTime: payload['auth_time'],
      clockTolerance: provider.rules.clockTolerance,
    },
    isCloneable: Number.isFinite(bytes),
    bytes: bytes + (isOwnOutput ? bytesOfJson(output) : 0),
  }
}

/** An estimate of what a token takes in memory; `Infinity` where it nests too deeply to be cloned. */
export function bytesOf({ text, header, payload }: ParsedToken): number {
  return ENTRY_BYTES + text.length + bytesOfJson(header) + bytesOfJson(payload)
}

/** The claims of a token as its schema is given them: a clone, since the output may contain parts of it. */
export function inputFor({ payload }: ParsedToken, bytes: number): unknown {
  return Number.isFinite(bytes) ? cloneJson(payload) : payload
}

/** The claims for one request, or the input of its schema. */
export function claimsFor({ claims, isCloneable }: VerifiedToken): unknown {
  return isCloneable ? cloneJson(claims) : claims
}

/** The token as one request sees it. */
export function authFor<Output>(verified: VerifiedToken, claims: Output): Auth<Output> {
  const { provider, header, isCloneable } = verified
  return createAuth(provider.registered.key, verified, claims, isCloneable ? cloneJson(header) : header)
}

/** The verified token that {@link authFor} made an `Auth` of; `undefined` for anything else, copies included. */
export function verifiedOf(auth: object): VerifiedToken | undefined {
  // Only `authFor` calls `createAuth`.
  return partsOf(auth) as VerifiedToken | undefined
}

import { isObject } from '../base/options.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import { type Auth, scopesOf } from './auth.ts'
import type { ParsedToken, TokenHeader } from './parse-token.ts'
import { bytesOfJson, copyNested, copyPlainData, isPlainData, nestedNames } from './plain-data.ts'
import type { AuthProvider } from './provider-table.ts'
import { type TokenTimes, tokenTimes } from './token-times.ts'

/**
 * What is kept of a token that was verified, so that it need not be verified again. None of it is handed out: requests
 * get copies.
 */
export interface VerifiedToken extends TokenTimes {
  /** The `Authorization` header that most requests bring it in. */
  readonly authorization: string
  /** The token itself, a slice of that. */
  readonly text: string
  /** By whose rules it was verified. */
  readonly provider: AuthProvider
  readonly tenant: string
  readonly providerName: string
  readonly issuer: string
  /** With which key; when that comes back as another object, then that one. */
  key: VerificationKey
  readonly header: TokenHeader
  /** The claims; or, where what the schema made of them cannot be copied, the claims that it was given. */
  readonly claims: object
  /** False where the schema has to be asked for each request. */
  readonly isFinal: boolean
  scopes: readonly string[]
  /** The members of `claims` that have members themselves. */
  readonly nested: readonly string[]
  readonly nestedInHeader: readonly string[]
  /** About what it takes in memory. */
  readonly bytes: number
}

/** What an entry takes beside text, names and values; docs/decisions/011-verified-token-cache.md has the measurement. */
const ENTRY_BYTES = 1_024

/**
 * What there is to keep of a token that was verified with this key.
 *
 * @param output what the schema made of the claims, or the claims
 * @param bytes what header and claims take
 */
export function createVerifiedToken(
  { token, header, payload }: ParsedToken,
  provider: AuthProvider,
  key: VerificationKey,
  output: unknown,
  bytes: number,
): VerifiedToken {
  const isFinal = output === payload || (isObject(output) && isPlainData(output))
  const nestedInHeader = nestedNames(header)
  const source: object = isFinal && isObject(output) ? output : payload
  const nested = nestedNames(source)
  // Made anew: a string that was cut out of what came would keep all of that in memory.
  const authorization = Buffer.from(`Bearer ${token}`, 'latin1').toString('latin1')
  const { tenant, provider: providerName } = provider.registered.key
  const { from, until, last } = tokenTimes(payload, provider.rules)
  return {
    authorization,
    text: authorization.slice('Bearer '.length),
    provider,
    tenant,
    providerName,
    issuer: payload['iss'] as string,
    key,
    from,
    until,
    last,
    // Flat ones are copied for each request anyhow, this first one too.
    header: nestedInHeader.length === 0 ? header : copyPlainData(header),
    claims: copyNested({ ...source }, nested),
    isFinal,
    scopes: scopesOf(payload),
    nested,
    nestedInHeader,
    bytes: ENTRY_BYTES + token.length + bytes + (isFinal && output !== payload ? bytesOfJson(output) : 0),
  }
}

/**
 * The claims for one request, or what its schema is to be given. The spread has a place of its own, as that of the header
 * has: V8 remembers the shapes that a place has seen, and copies those in 40 ns that take 150 where there are many.
 */
export function claimsFor({ claims, nested }: VerifiedToken): object {
  return copyNested({ ...claims }, nested)
}

/** The token as one request sees it. */
export function authFor<Claims>(
  { tenant, providerName, header, nestedInHeader, text, scopes }: VerifiedToken,
  claims: Claims,
): Auth<Claims> {
  return {
    tenant,
    provider: providerName,
    claims,
    header: copyNested({ ...header }, nestedInHeader),
    token: text,
    scopes: new Set(scopes),
  }
}

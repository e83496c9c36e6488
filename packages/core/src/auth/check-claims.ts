import {
  AudienceNotAllowedError,
  ClaimMalformedError,
  ClaimMissingError,
  ClaimNotBoundError,
  ClientNotAllowedError,
  ConfirmationNotCheckedError,
  TokenExpiredError,
  TokenIssuedInFutureError,
  TokenNotYetValidError,
  TokenTooOldError,
} from '../base/errors/claim-errors.ts'
import type { RequestRefusedError } from '../base/errors/jwks-auth-error.ts'
import { AlgorithmNotAllowedError, TokenTypeNotAllowedError } from '../base/errors/request-errors.ts'
import { type ClaimRules, canonicalType } from './claim-rules.ts'
import type { ParsedToken } from './parse-token.ts'

/** The claims of a token, as they came. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * Why a token is refused; `undefined` where it is not. Returned, not thrown: V8 never compiles functions that always end
 * by throwing, and in a flood of bad tokens these would. See docs/decisions/013-refusals-are-returned.md.
 */
export type Refusal = RequestRefusedError | undefined

/** Types of access tokens (RFC 7519 §5.1, RFC 9068 §2.1), unless the option `typ` names others. */
const ACCESS_TOKEN_TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt'])

/** The last second of the year 9999, in seconds since the epoch: a later date is certainly a mistake. */
const LATEST_DATE = 253_402_300_799

/** The `iss` of a token; `''`, which is the issuer of no provider, where it has none. */
export function issuerOf({ iss }: Claims): string {
  return typeof iss === 'string' ? iss : ''
}

/**
 * Checks what can be checked of any token before its provider is known: `iss` and `exp` are present, and `exp` has not
 * passed even with the longest tolerance of all providers.
 *
 * @param now milliseconds since the epoch
 */
export function checkBasicClaims(claims: Claims, now: number, clockTolerance: number): Refusal {
  const { iss, exp } = claims
  if (iss === undefined || exp === undefined) return new ClaimMissingError()
  if (typeof iss !== 'string' || !isNumericDate(exp)) return new ClaimMalformedError()
  return exp * 1000 + clockTolerance <= now ? new TokenExpiredError() : undefined
}

/**
 * Checks a token by the rules of the provider that its `iss` names.
 *
 * @param now milliseconds since the epoch
 */
export function checkToken(
  { header, payload }: Pick<ParsedToken, 'header' | 'payload'>,
  { algorithms, rules }: { readonly algorithms: ReadonlySet<string>; readonly rules: ClaimRules },
  now: number,
): Refusal {
  if (!algorithms.has(header.alg)) return new AlgorithmNotAllowedError()
  return checkType(header.typ, rules) ?? checkClaims(payload, rules, now)
}

/** Checks the header's `typ`. */
export function checkType(typ: string | undefined, { types }: ClaimRules): Refusal {
  const isAllowed = typ === undefined ? types === undefined : (types ?? ACCESS_TOKEN_TYPES).has(canonicalType(typ))
  return isAllowed ? undefined : new TokenTypeNotAllowedError()
}

/**
 * Checks all claims by a provider's rules.
 *
 * @param now milliseconds since the epoch
 */
export function checkClaims(claims: Claims, rules: ClaimRules, now: number): Refusal {
  const refusal = checkTimes(claims, rules, now) ?? checkTypes(claims) ?? checkAudience(claims['aud'], rules.audiences)
  if (refusal !== undefined) return refusal
  for (const name of rules.requiredClaims) {
    if (!Object.hasOwn(claims, name)) return new ClaimMissingError()
  }
  for (const [name, value] of rules.boundClaims) {
    if (!Object.hasOwn(claims, name) || claims[name] !== value) return new ClaimNotBoundError()
  }
  if (rules.tenantIds !== undefined) {
    if (!Object.hasOwn(claims, 'tid')) return new ClaimMissingError()
    if (!isOfTenantId(claims, rules.tenantIds)) return new ClaimNotBoundError()
  }
  if (rules.clientIds !== undefined && !isFromClient(claims, rules.clientIds)) return new ClientNotAllowedError()
  return rules.cnf === 'verify' && Object.hasOwn(claims, 'cnf') ? new ConfirmationNotCheckedError() : undefined
}

/** `sub` and `jti` (RFC 7519 §4.1), `client_id` and `scope` (RFC 9068 §2.2, RFC 8693 §4.2; Duende sends a list). */
function checkTypes({ sub, jti, client_id: clientId, scope }: Claims): Refusal {
  const areStrings = isOptionalString(sub) && isOptionalString(jti) && isOptionalString(clientId)
  return areStrings && (isOptionalString(scope) || isStringList(scope)) ? undefined : new ClaimMalformedError()
}

/** Checks `exp`, `nbf` and `iat` (RFC 7519 §4.1). */
function checkTimes({ exp, nbf, iat }: Claims, { clockTolerance, maxTokenAge }: ClaimRules, now: number): Refusal {
  if (!isNumericDate(exp)) return new ClaimMalformedError()
  if (exp * 1000 + clockTolerance <= now) return new TokenExpiredError()
  if (nbf !== undefined) {
    if (!isNumericDate(nbf)) return new ClaimMalformedError()
    if (nbf * 1000 - clockTolerance > now) return new TokenNotYetValidError()
  }
  if (iat === undefined) return maxTokenAge === undefined ? undefined : new ClaimMissingError()
  if (!isNumericDate(iat)) return new ClaimMalformedError()
  const age = now - iat * 1000
  if (age < -clockTolerance) return new TokenIssuedInFutureError()
  return maxTokenAge !== undefined && age > maxTokenAge + clockTolerance ? new TokenTooOldError() : undefined
}

function checkAudience(aud: unknown, audiences: ReadonlySet<string> | undefined): Refusal {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (aud !== undefined && !named.every((item) => typeof item === 'string')) return new ClaimMalformedError()
  if (audiences === undefined) return undefined
  if (aud === undefined) return new ClaimMissingError()
  return named.some((item) => audiences.has(item as string)) ? undefined : new AudienceNotAllowedError()
}

/** `client_id` (RFC 9068 §2.2) counts where it is; `azp` (OpenID Connect Core 1.0 §2) where it is not. */
function isFromClient({ client_id: clientId, azp }: Claims, clientIds: ReadonlySet<string>): boolean {
  const client = clientId ?? azp
  return typeof client === 'string' && clientIds.has(client)
}

/** `tid` is one of these GUIDs, and the one in `iss`. */
function isOfTenantId({ iss, tid }: Claims, tenantIds: ReadonlySet<string>): boolean {
  if (typeof tid !== 'string' || typeof iss !== 'string') return false
  const id = tid.toLowerCase()
  return tenantIds.has(id) && iss.includes(id)
}

/** True for a NumericDate, in seconds (RFC 7519 §2), before the year 10000. JSON's `1e999` is infinite. */
function isNumericDate(date: unknown): date is number {
  return typeof date === 'number' && Math.abs(date) <= LATEST_DATE
}

function isOptionalString(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

function isStringList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** When a token is valid, tolerance included, in milliseconds since the epoch. */
export interface TokenTimes {
  /** The first moment, by `nbf` and `iat`. */
  readonly from: number
  /** The first moment at which it is expired, by `exp`. */
  readonly until: number
  /** The last moment by `iat` and `maxTokenAge`. */
  readonly last: number
  /** `exp` itself, without tolerance. */
  readonly expiresAt: number
}

/** The times of claims that {@link checkClaims} accepts. */
export function tokenTimes({ exp, nbf, iat }: Claims, { clockTolerance, maxTokenAge }: ClaimRules): TokenTimes {
  const issuedAt = milliseconds(iat)
  const expiresAt = milliseconds(exp)
  return {
    from: Math.max(milliseconds(nbf), issuedAt) - clockTolerance,
    until: expiresAt + clockTolerance,
    last: maxTokenAge === undefined ? Number.POSITIVE_INFINITY : issuedAt + maxTokenAge + clockTolerance,
    expiresAt,
  }
}

/** Checks the times of a token again: refuses exactly where {@link checkClaims} would. */
export function checkValidity({ from, until, last }: TokenTimes, now: number): Refusal {
  if (now >= until) return new TokenExpiredError()
  if (now > last) return new TokenTooOldError()
  return now < from ? new TokenNotYetValidError() : undefined
}

/** A NumericDate (RFC 7519 §2) in milliseconds; the beginning of time where there is none. */
function milliseconds(date: unknown): number {
  return typeof date === 'number' ? date * 1000 : Number.NEGATIVE_INFINITY
}

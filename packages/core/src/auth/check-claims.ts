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
import { TokenTypeNotAllowedError } from '../base/errors/request-errors.ts'
import { type ClaimRules, canonicalType } from './claim-rules.ts'

/** The claims of a token as they came. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * What stands against a token, if anything does. Returned and not thrown: V8 leaves functions that always end by throwing
 * in its interpreter, and in a flood of bad tokens these would. See docs/decisions/013-refusals-are-returned.md.
 */
export type Objection = RequestRefusedError | undefined

/** Types that access tokens have (RFC 7519 §5.1, RFC 9068 §2.1), unless `typ` says otherwise. */
const ACCESS_TOKEN_TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt'])

/**
 * The claims that every token must have, of their type, and `exp` with the most generous tolerance that any provider
 * has: what can be known before it is known whose token it is.
 */
export function checkBasicClaims(claims: Claims, now: number, clockTolerance: number): Objection {
  const { iss, exp } = claims
  if (iss === undefined || exp === undefined) return new ClaimMissingError()
  if (typeof iss !== 'string' || !isNumericDate(exp)) return new ClaimMalformedError()
  return exp * 1000 + clockTolerance <= now ? new TokenExpiredError() : undefined
}

/** Checks the header's `typ`. */
export function checkType(typ: string | undefined, { types }: ClaimRules): Objection {
  const isAllowed = typ === undefined ? types === undefined : (types ?? ACCESS_TOKEN_TYPES).has(canonicalType(typ))
  return isAllowed ? undefined : new TokenTypeNotAllowedError()
}

/**
 * Checks all claims by a provider's rules. The caller has found the provider by the token's `iss`.
 *
 * @param now milliseconds since the epoch
 */
export function checkClaims(claims: Claims, rules: ClaimRules, now: number): Objection {
  const objection = checkTimes(claims, rules, now) ?? checkAudience(claims['aud'], rules.audiences)
  if (objection !== undefined) return objection
  for (const name of rules.requiredClaims) {
    if (!Object.hasOwn(claims, name)) return new ClaimMissingError()
  }
  for (const [name, value] of rules.boundClaims) {
    if (!Object.hasOwn(claims, name) || claims[name] !== value) return new ClaimNotBoundError()
  }
  if (rules.clientIds !== undefined && !isFromClient(claims, rules.clientIds)) return new ClientNotAllowedError()
  return rules.cnf === 'verify' && Object.hasOwn(claims, 'cnf') ? new ConfirmationNotCheckedError() : undefined
}

function checkTimes({ exp, nbf, iat }: Claims, { clockTolerance, maxTokenAge }: ClaimRules, now: number): Objection {
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

function checkAudience(aud: unknown, audiences: ReadonlySet<string> | undefined): Objection {
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

/** True for a NumericDate, in seconds (RFC 7519 §2). */
function isNumericDate(date: unknown): date is number {
  return typeof date === 'number' && Number.isFinite(date)
}

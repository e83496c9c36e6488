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
import { TokenTypeNotAllowedError } from '../base/errors/request-errors.ts'
import { type ClaimRules, canonicalType } from './claim-rules.ts'

/** The claims of a token as they came. */
export type Claims = Readonly<Record<string, unknown>>

/** Types that access tokens have (RFC 7519 §5.1, RFC 9068 §2.1), unless `typ` says otherwise. */
const ACCESS_TOKEN_TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt'])

/**
 * The claims that every token must have, of their type, and `exp` with the most generous tolerance that any provider
 * has: what can be known before it is known whose token it is.
 *
 * @throws an error of `claim-errors.ts`
 */
export function checkBasicClaims(claims: Claims, now: number, clockTolerance: number): void {
  const { iss, exp } = claims
  if (iss === undefined || exp === undefined) throw new ClaimMissingError()
  if (typeof iss !== 'string') throw new ClaimMalformedError()
  if (milliseconds(exp) + clockTolerance <= now) throw new TokenExpiredError()
}

/** Checks the header's `typ`. */
export function checkType(typ: string | undefined, { types }: ClaimRules): void {
  if (typ === undefined) {
    if (types !== undefined) throw new TokenTypeNotAllowedError()
  } else if (!(types ?? ACCESS_TOKEN_TYPES).has(canonicalType(typ))) throw new TokenTypeNotAllowedError()
}

/**
 * Checks all claims by a provider's rules. The caller has found the provider by the token's `iss`.
 *
 * @param now milliseconds since the epoch
 * @throws an error of `claim-errors.ts`
 */
export function checkClaims(claims: Claims, rules: ClaimRules, now: number): void {
  checkTimes(claims, rules, now)
  checkAudience(claims['aud'], rules.audiences)
  for (const name of rules.requiredClaims) {
    if (!Object.hasOwn(claims, name)) throw new ClaimMissingError()
  }
  for (const [name, value] of rules.boundClaims) {
    if (!Object.hasOwn(claims, name) || claims[name] !== value) throw new ClaimNotBoundError()
  }
  if (rules.clientIds !== undefined && !isFromClient(claims, rules.clientIds)) throw new ClientNotAllowedError()
  if (rules.cnf === 'verify' && Object.hasOwn(claims, 'cnf')) throw new ConfirmationNotCheckedError()
}

function checkTimes({ exp, nbf, iat }: Claims, { clockTolerance, maxTokenAge }: ClaimRules, now: number): void {
  if (milliseconds(exp) + clockTolerance <= now) throw new TokenExpiredError()
  if (nbf !== undefined && milliseconds(nbf) - clockTolerance > now) throw new TokenNotYetValidError()
  if (iat === undefined) {
    if (maxTokenAge !== undefined) throw new ClaimMissingError()
    return
  }
  const age = now - milliseconds(iat)
  if (age < -clockTolerance) throw new TokenIssuedInFutureError()
  if (maxTokenAge !== undefined && age > maxTokenAge + clockTolerance) throw new TokenTooOldError()
}

function checkAudience(aud: unknown, audiences: ReadonlySet<string> | undefined): void {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (aud !== undefined && !named.every((item) => typeof item === 'string')) throw new ClaimMalformedError()
  if (audiences === undefined) return
  if (aud === undefined) throw new ClaimMissingError()
  if (!named.some((item) => audiences.has(item as string))) throw new AudienceNotAllowedError()
}

/** `client_id` (RFC 9068 §2.2) counts where it is; `azp` (OpenID Connect Core 1.0 §2) where it is not. */
function isFromClient({ client_id: clientId, azp }: Claims, clientIds: ReadonlySet<string>): boolean {
  const client = clientId ?? azp
  return typeof client === 'string' && clientIds.has(client)
}

/** A NumericDate (RFC 7519 §2) in milliseconds. */
function milliseconds(date: unknown): number {
  if (typeof date !== 'number' || !Number.isFinite(date)) throw new ClaimMalformedError()
  return date * 1000
}

import type { Claims } from './check-claims.ts'
import type { ClaimRules } from './claim-rules.ts'

/** When a token holds, tolerance included, in milliseconds since the epoch. */
export interface TokenTimes {
  /** From then on, by `nbf` and `iat`. */
  readonly from: number
  /** No longer then, by `exp`. */
  readonly until: number
  /** Then for the last time, by `iat` and `maxTokenAge`. */
  readonly last: number
}

/** The times of claims that {@link checkClaims} has found to be in order. */
export function tokenTimes({ exp, nbf, iat }: Claims, { clockTolerance, maxTokenAge }: ClaimRules): TokenTimes {
  const issuedAt = milliseconds(iat, Number.NEGATIVE_INFINITY)
  return {
    from: Math.max(milliseconds(nbf, Number.NEGATIVE_INFINITY), issuedAt) - clockTolerance,
    until: milliseconds(exp, Number.NEGATIVE_INFINITY) + clockTolerance,
    last: maxTokenAge === undefined ? Number.POSITIVE_INFINITY : issuedAt + maxTokenAge + clockTolerance,
  }
}

/** True where the token's times say that it holds now: exactly where `checkClaims` has no objection to them. */
export function holdsAt({ from, until, last }: TokenTimes, now: number): boolean {
  return now >= from && now < until && now <= last
}

/** A NumericDate (RFC 7519 §2) in milliseconds. */
function milliseconds(date: unknown, otherwise: number): number {
  return typeof date === 'number' ? date * 1000 : otherwise
}

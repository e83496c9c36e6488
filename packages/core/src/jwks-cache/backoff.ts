import type { RetryPolicy } from './cache-options.ts'

/** Milliseconds of the first pause between two failed refreshes. */
const FIRST_REFRESH_BACKOFF = 1_000
/** Milliseconds that no such pause exceeds. */
const LONGEST_REFRESH_BACKOFF = 60_000
/** Milliseconds that no pause after a failed first fetch exceeds. */
const LONGEST_NEGATIVE_TTL = 10_000
/** Milliseconds for which a provider's `Retry-After` is obeyed while its keys are not fresh. */
const LONGEST_RETRY_AFTER = 60_000
/** The same while its keys are fresh, when obeying it costs nothing. */
const LONGEST_RETRY_AFTER_FRESH = 600_000

/** A random number from 0 to below 1, as `Math.random()` gives. */
export type Random = () => number

/**
 * The pause before retry number `retry` (0 for the first), in milliseconds, as AWS's "Exponential Backoff And
 * Jitter" defines the three kinds.
 *
 * @param previous the pause before the retry before this one; the initial backoff for the first
 */
export function retryDelay(policy: RetryPolicy, retry: number, previous: number, random: Random): number {
  const { initialBackoff, maxBackoff, jitter } = policy
  const exponential = Math.min(maxBackoff, initialBackoff * 2 ** retry)
  switch (jitter) {
    case 'none':
      return exponential
    case 'full':
      return random() * exponential
    case 'decorrelated':
      return Math.min(maxBackoff, initialBackoff + random() * (previous * 3 - initialBackoff))
  }
}

/** The pause after the given number of failed refreshes: 1 s doubling to 60 s, with equal jitter (half to whole). */
export function refreshBackoff(failures: number, random: Random): number {
  const whole = Math.min(LONGEST_REFRESH_BACKOFF, FIRST_REFRESH_BACKOFF * 2 ** (failures - 1))
  return whole / 2 + (random() * whole) / 2
}

/** How long a failed first fetch is remembered: `negativeCacheTtl` doubling to 10 s; a longer one stays as it is. */
export function negativeTtl(negativeCacheTtl: number, failures: number): number {
  // Past 1 024 doublings the factor is infinite, and 0 times that is no number.
  const factor = 2 ** Math.min(failures - 1, 30)
  return Math.min(negativeCacheTtl * factor, Math.max(negativeCacheTtl, LONGEST_NEGATIVE_TTL))
}

/**
 * How much of a `Retry-After`, in milliseconds, is obeyed: past the keys' expiry no more than without fresh keys.
 *
 * @param freshFor milliseconds for which the cached keys are still fresh; 0 or less where there are none
 */
export function obeyedRetryAfter(retryAfter: number | undefined, freshFor: number): number {
  return Math.min(retryAfter ?? 0, Math.max(LONGEST_RETRY_AFTER, Math.min(freshFor, LONGEST_RETRY_AFTER_FRESH)))
}

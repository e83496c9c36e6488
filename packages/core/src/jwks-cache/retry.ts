import { type Clock, duration, instant, schedule, sleep } from '../base/clock.ts'
import { FleetFetchFailedError } from '../base/errors/jwks-auth-error.ts'
import { UpstreamStatusError, UpstreamTimedOutError, UpstreamUnreachableError } from '../base/errors/upstream-errors.ts'
import type { RetryPolicy } from './cache-options.ts'

/** True for what `stale-if-error` is for: a broken network, or a status of 500 and above (RFC 5861 §4). */
export function isOutage(error: unknown): boolean {
  if (error instanceof UpstreamStatusError) return error.status >= 500
  if (error instanceof FleetFetchFailedError) return error.isOutage
  return error instanceof UpstreamUnreachableError || error instanceof UpstreamTimedOutError
}

/** True where the same request may well succeed a moment later; a refusal (4xx) will not, save 408 and 429. */
function isTransient(error: unknown): boolean {
  if (error instanceof UpstreamStatusError && (error.status === 408 || error.status === 429)) return true
  return isOutage(error)
}

/** The `Retry-After` that came with the failure, in milliseconds. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof UpstreamStatusError ? error.retryAfter : undefined
}

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

/** What one attempt gets. */
export interface Attempt {
  /** Aborts when the attempt has had its time, or all of them together, or the registry closes. */
  readonly signal: AbortSignal
  /** Starts `attemptTimeout`: to be called when the exchange begins. */
  begin(): void
}

/** What {@link withRetries} works with. */
export interface RetryContext {
  readonly clock: Clock
  readonly random: Random
  /** Ends everything when the registry closes. */
  readonly closed: AbortSignal
}

/** Retries until an attempt succeeds, a failure is final, or `maxRetries` or `deadline` is reached; then throws the last failure. */
export async function withRetries<Value>(
  attempt: (attempt: Attempt) => Promise<Value>,
  policy: RetryPolicy,
  context: RetryContext,
): Promise<Value> {
  const { clock, random, closed } = context
  const startedAt = instant(clock)
  const timeLeft = (): number => policy.deadline - duration(startedAt, instant(clock))
  let delay = policy.initialBackoff
  for (let retry = 0; ; retry += 1) {
    closed.throwIfAborted()
    try {
      return await attemptOnce(attempt, policy.attemptTimeout, timeLeft(), context)
    } catch (error) {
      closed.throwIfAborted()
      if (retry >= policy.maxRetries || !isTransient(error)) throw error
      delay = retryDelay(policy, retry, delay, random)
      const pause = Math.max(delay, retryAfterOf(error) ?? 0)
      if (pause >= timeLeft()) throw error
      await sleep(clock, pause, closed)
    }
  }
}

async function attemptOnce<Value>(
  attempt: (attempt: Attempt) => Promise<Value>,
  attemptTimeout: number,
  timeLeft: number,
  { clock, closed }: RetryContext,
): Promise<Value> {
  const controller = new AbortController()
  const timeOut = (): void => controller.abort(new UpstreamTimedOutError())
  const onClosed = (): void => controller.abort(closed.reason)
  closed.addEventListener('abort', onClosed, { once: true })
  const cancels = [schedule(clock, Math.max(0, timeLeft), timeOut)]
  const begin = (): void => {
    cancels.push(schedule(clock, attemptTimeout, timeOut))
  }
  try {
    return await attempt({ signal: controller.signal, begin })
  } finally {
    for (const cancel of cancels) cancel()
    closed.removeEventListener('abort', onClosed)
  }
}

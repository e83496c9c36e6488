import { type Clock, duration, instant, schedule, sleep } from '../base/clock.ts'
import { UpstreamTimedOutError } from '../base/errors/upstream-errors.ts'
import { type Random, retryDelay } from './backoff.ts'
import type { RetryPolicy } from './cache-options.ts'
import { isTransient, retryAfterOf } from './failure.ts'

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

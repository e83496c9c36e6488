import { createManualClock, type ManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import {
  KeySetMalformedError,
  UpstreamStatusError,
  UpstreamTimedOutError,
  UpstreamUnreachableError,
} from '../../src/base/errors/upstream-errors.ts'
import { readRetryAfter } from '../../src/http/freshness.ts'
import type { RetryPolicy } from '../../src/jwks-cache/cache-options.ts'
import { type Attempt, withRetries } from '../../src/jwks-cache/retry.ts'
import { rejectionOf } from './scene.ts'

const policy: RetryPolicy = {
  maxRetries: 2,
  attemptTimeout: 3_000,
  initialBackoff: 250,
  maxBackoff: 2_000,
  deadline: 8_000,
  jitter: 'none',
}

/** Attempts that fail with the given errors, one after the other, and then succeed; records when each began. */
function attempts(clock: ManualClock, ...failures: Error[]) {
  const startedAt = clock.now()
  const begun: number[] = []
  const attempt = async ({ begin }: Attempt): Promise<string> => {
    begin()
    begun.push(clock.now() - startedAt)
    const [failure] = failures.splice(0, 1)
    if (failure !== undefined) throw failure
    return 'done'
  }
  return { attempt, begun }
}

/** An attempt that ends only when its signal aborts. */
async function hang({ signal, begin }: Attempt): Promise<never> {
  begin()
  return await new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

function start(attempt: (attempt: Attempt) => Promise<string>, clock: ManualClock, given: Partial<RetryPolicy> = {}) {
  const closing = new AbortController()
  const context = { clock, random: () => 0, closed: closing.signal }
  const result = withRetries(attempt, { ...policy, ...given }, context)
  const outcome = result.catch((error: unknown) => error)
  return { outcome, close: (reason: Error) => closing.abort(reason) }
}

describe('withRetries', () => {
  it('pauses 250 ms, then 500 ms, and then throws the last failure', async () => {
    const clock = createManualClock()
    const last = new UpstreamStatusError(503)
    const { attempt, begun } = attempts(clock, new UpstreamUnreachableError(), new UpstreamTimedOutError(), last)
    const { outcome } = start(attempt, clock)
    await clock.advance(10_000)
    expect(begun).toEqual([0, 250, 750])
    expect(await outcome).toBe(last)
    expect(clock.pendingTimers).toBe(0)
  })

  it('ends with the first success', async () => {
    const clock = createManualClock()
    const { attempt, begun } = attempts(clock, new UpstreamStatusError(500))
    const { outcome } = start(attempt, clock)
    await clock.advance(250)
    expect(await outcome).toBe('done')
    expect(begun).toEqual([0, 250])
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([
    [400, 1],
    [401, 1],
    [403, 1],
    [404, 1],
    [408, 3],
    [410, 1],
    [429, 3],
    [204, 1],
    [304, 1],
    [500, 3],
    [502, 3],
    [503, 3],
    [504, 3],
  ])('answers status %d with %d attempt(s)', async (status, expected) => {
    const clock = createManualClock()
    const failures = Array.from({ length: 3 }, () => new UpstreamStatusError(status))
    const { attempt, begun } = attempts(clock, ...failures)
    const { outcome } = start(attempt, clock)
    await clock.advance(10_000)
    expect(await outcome).toMatchObject({ status })
    expect(begun).toHaveLength(expected)
  })

  it('does not repeat a request whose response cannot be used', async () => {
    const clock = createManualClock()
    const { attempt, begun } = attempts(clock, new KeySetMalformedError('it is not JSON'))
    expect(await start(attempt, clock).outcome).toMatchObject({ code: 'ERR_KEY_SET_MALFORMED' })
    expect(begun).toEqual([0])
  })

  it.each([
    ['seconds', '4'],
    ['a date', 'Wed, 01 Jan 2025 00:00:04 GMT'],
  ])('obeys a Retry-After given as %s', async (_, header) => {
    const clock = createManualClock()
    const retryAfter = readRetryAfter(header, clock.now())
    const { attempt, begun } = attempts(clock, new UpstreamStatusError(429, { retryAfter }))
    const { outcome } = start(attempt, clock)
    await clock.advance(4_000)
    expect(await outcome).toBe('done')
    expect(begun).toEqual([0, 4_000])
  })

  it('gives up at once where a Retry-After reaches past the deadline', async () => {
    const clock = createManualClock()
    const { attempt, begun } = attempts(clock, new UpstreamStatusError(503, { retryAfter: 8_000 }))
    expect(await start(attempt, clock).outcome).toMatchObject({ status: 503 })
    expect(begun).toEqual([0])
    expect(clock.pendingTimers).toBe(0)
  })

  it('limits each attempt by attemptTimeout, and all of them by the deadline', async () => {
    const clock = createManualClock()
    const begun: number[] = []
    const startedAt = clock.now()
    const { outcome } = start(
      (attempt) => {
        begun.push(clock.now() - startedAt)
        return hang(attempt)
      },
      clock,
      { maxRetries: 10 },
    )
    let endedAt = 0
    void outcome.then(() => {
      endedAt = clock.now() - startedAt
    })
    await clock.advance(20_000)
    expect(begun).toEqual([0, 3_250, 6_750])
    expect(await outcome).toBeInstanceOf(UpstreamTimedOutError)
    expect(endedAt).toBe(8_000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('counts attemptTimeout from the start of the exchange, not from when it queued for a slot', async () => {
    const clock = createManualClock()
    let begin = (): void => undefined
    const { outcome } = start(
      async (attempt) => {
        begin = attempt.begin
        return await hang({ ...attempt, begin: () => undefined })
      },
      clock,
      { maxRetries: 0 },
    )
    let ended = false
    void outcome.then(() => {
      ended = true
    })
    await clock.advance(4_000)
    expect(ended).toBe(false)
    begin()
    await clock.advance(2_999)
    expect(ended).toBe(false)
    await clock.advance(1)
    expect(await outcome).toBeInstanceOf(UpstreamTimedOutError)
  })

  it.each([
    ['in an attempt', hang],
    ['in a pause', () => Promise.reject(new UpstreamStatusError(500))],
  ])('ends at once when the registry closes %s, and leaves no timer', async (_, attempt) => {
    const clock = createManualClock()
    const { outcome, close } = start(attempt, clock)
    await clock.advance(10)
    const reason = new Error('closed')
    close(reason)
    expect(await outcome).toBe(reason)
    expect(clock.pendingTimers).toBe(0)
  })

  it('starts nothing in a closed registry', async () => {
    const clock = createManualClock()
    const reason = new Error('closed')
    const { attempt, begun } = attempts(clock)
    const context = { clock, random: () => 0, closed: AbortSignal.abort(reason) }
    expect(await rejectionOf(withRetries(attempt, policy, context))).toBe(reason)
    expect(begun).toEqual([])
  })

  it('ends at the deadline by the monotonic clock where the wall clock was set back', async () => {
    const clock = createManualClock()
    let attempts = 0
    const { outcome } = start(
      async (attempt) => {
        attempts += 1
        clock.set(clock.now() - 86_400_000)
        return await hang(attempt)
      },
      clock,
      { maxRetries: 100 },
    )
    await clock.advance(8_000)
    expect(await outcome).toBeInstanceOf(UpstreamTimedOutError)
    expect(attempts).toBe(3)
    expect(clock.pendingTimers).toBe(0)
  })
})

import { describe, expect, it } from 'vitest'
import type { Instant } from '../../src/base/clock.ts'
import { decide, decideAfterFailure, type RefreshFailure, usableFor } from '../../src/jwks-cache/policy.ts'

const lifetimes = { refreshAfter: 100, freshFor: 200, staleFor: 300, staleIfErrorFor: 400 }
const cached = { fetchedAt: at(0), lifetimes }

/** Both clocks show the same time. */
function at(time: number): Instant {
  return { wall: time, monotonic: time }
}

/** Failed at 0, with a backoff until `retryAt`. */
function failed(retryAt: number, isOutage = false): RefreshFailure {
  return { count: 1, at: at(0), pause: retryAt, isOutage }
}

describe('decide', () => {
  it.each([
    ['nothing cached, no failure', undefined, undefined, 0, 'wait'],
    ['nothing cached, failed just now', undefined, failed(10), 9, 'refuse'],
    ['nothing cached, failed long enough ago', undefined, failed(10), 10, 'wait'],

    ['before refreshAfter', cached, undefined, 99, 'serve'],
    ['before refreshAfter, failed', cached, failed(0), 99, 'serve'],
    ['before refreshAfter, in backoff', cached, failed(150), 99, 'serve'],

    ['at refreshAfter', cached, undefined, 100, 'serve-and-refresh'],
    ['before freshFor', cached, undefined, 199, 'serve-and-refresh'],
    ['before freshFor, in backoff', cached, failed(151), 150, 'serve'],
    ['before freshFor, backoff over', cached, failed(150), 150, 'serve-and-refresh'],

    ['at freshFor, the last refresh did not fail', cached, undefined, 200, 'wait'],
    ['before staleFor, the last refresh did not fail', cached, undefined, 299, 'wait'],
    ['at freshFor, in backoff', cached, failed(201), 200, 'serve-stale'],
    ['at freshFor, backoff over', cached, failed(200), 200, 'serve-stale-and-refresh'],
    ['before staleFor, in backoff', cached, failed(300), 299, 'serve-stale'],
    ['before staleFor, backoff over', cached, failed(250), 299, 'serve-stale-and-refresh'],

    ['at staleFor, no failure', cached, undefined, 300, 'wait'],
    ['at staleFor, in backoff', cached, failed(301), 300, 'refuse'],
    ['at staleFor, backoff over', cached, failed(300), 300, 'wait'],

    ['past staleFor, an outage that stale-if-error covers', cached, failed(301, true), 300, 'serve-stale'],
    ['the same, backoff over', cached, failed(300, true), 399, 'serve-stale-and-refresh'],
    ['at staleIfErrorFor, in backoff', cached, failed(401, true), 400, 'refuse'],
    ['at staleIfErrorFor, backoff over', cached, failed(400, true), 400, 'wait'],
  ] as const)('%s', (_, cachedKeys, failure, now, decision) => {
    expect(decide({ cached: cachedKeys, failure }, at(now))).toBe(decision)
  })
})

describe('decideAfterFailure', () => {
  it.each([
    ['nothing cached', undefined, failed(0), 0, 'refuse'],
    ['still fresh', cached, failed(0), 199, 'serve'],
    ['at freshFor', cached, failed(0), 200, 'serve-stale'],
    ['before staleFor', cached, failed(0), 299, 'serve-stale'],
    ['at staleFor', cached, failed(0), 300, 'refuse'],
    ['past staleFor, an outage that stale-if-error covers', cached, failed(0, true), 399, 'serve-stale'],
    ['at staleIfErrorFor', cached, failed(0, true), 400, 'refuse'],
    ['a refetch failed, which is no failed refresh', cached, undefined, 250, 'serve-stale'],
  ] as const)('%s', (_, cachedKeys, failure, now, decision) => {
    expect(decideAfterFailure({ cached: cachedKeys, failure }, at(now))).toBe(decision)
  })
})

describe('usableFor', () => {
  it.each([
    ['no failure', undefined, 300],
    ['a refusal (4xx) or an unusable response', failed(0, false), 300],
    ['an outage', failed(0, true), 400],
  ] as const)('%s', (_, failure, duration) => {
    expect(usableFor(lifetimes, failure)).toBe(duration)
  })
})

describe('a decision on two clocks', () => {
  it.each([
    ['the wall clock, on a machine that was suspended', { wall: 300, monotonic: 1 }],
    ['the monotonic clock, where the wall clock was set back', { wall: -1_000_000, monotonic: 300 }],
  ])('ends the use of cached keys by %s', (_, now) => {
    expect(decide({ cached, failure: undefined }, now)).toBe('wait')
    expect(decide({ cached, failure: failed(1_000) }, now)).toBe('refuse')
    expect(decideAfterFailure({ cached, failure: failed(1_000) }, now)).toBe('refuse')
  })

  it.each([
    ['the wall clock, on a machine that was suspended', { wall: 50, monotonic: 1 }],
    ['the monotonic clock, where the wall clock was set back', { wall: -1_000_000, monotonic: 50 }],
  ])('ends a backoff by %s', (_, now) => {
    expect(decide({ cached: undefined, failure: failed(51) }, now)).toBe('refuse')
    expect(decide({ cached: undefined, failure: failed(50) }, now)).toBe('wait')
  })

  it('serves again what was refused only while the wall clock was ahead', () => {
    const year = 31_536_000_000
    expect(decide({ cached, failure: failed(60) }, { wall: year, monotonic: 50 })).toBe('wait')
    const failure = { ...failed(60), at: { wall: year, monotonic: 50 } }
    expect(decide({ cached, failure }, { wall: 60, monotonic: 60 })).toBe('serve')
    expect(decide({ cached, failure }, { wall: 110, monotonic: 110 })).toBe('serve-and-refresh')
  })
})

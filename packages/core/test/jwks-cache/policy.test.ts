import { describe, expect, it } from 'vitest'
import { decide, decideAfterFailure, type RefreshFailure, usableUntil } from '../../src/jwks-cache/policy.ts'

const entry = { refreshAt: 100, freshUntil: 200, staleUntil: 300, staleIfErrorUntil: 400 }

function failed(retryAt: number, isOutage = false): RefreshFailure {
  return { count: 1, retryAt, isOutage }
}

describe('decide, row by row', () => {
  it.each([
    ['nothing held, no failure', undefined, undefined, 0, 'wait'],
    ['nothing held, failed just now', undefined, failed(10), 9, 'refuse'],
    ['nothing held, failed long enough ago', undefined, failed(10), 10, 'wait'],

    ['before refreshAt', entry, undefined, 99, 'serve'],
    ['before refreshAt, failed', entry, failed(0), 99, 'serve'],
    ['before refreshAt, in backoff', entry, failed(150), 99, 'serve'],

    ['at refreshAt', entry, undefined, 100, 'serve-and-refresh'],
    ['before freshUntil', entry, undefined, 199, 'serve-and-refresh'],
    ['before freshUntil, in backoff', entry, failed(151), 150, 'serve'],
    ['before freshUntil, backoff over', entry, failed(150), 150, 'serve-and-refresh'],

    ['at freshUntil, the last refresh did not fail', entry, undefined, 200, 'wait'],
    ['before staleUntil, the last refresh did not fail', entry, undefined, 299, 'wait'],
    ['at freshUntil, in backoff', entry, failed(201), 200, 'serve-stale'],
    ['at freshUntil, backoff over', entry, failed(200), 200, 'serve-stale-and-refresh'],
    ['before staleUntil, in backoff', entry, failed(300), 299, 'serve-stale'],
    ['before staleUntil, backoff over', entry, failed(250), 299, 'serve-stale-and-refresh'],

    ['at staleUntil, no failure', entry, undefined, 300, 'wait'],
    ['at staleUntil, in backoff', entry, failed(301), 300, 'refuse'],
    ['at staleUntil, backoff over', entry, failed(300), 300, 'wait'],

    ['past staleUntil, an outage that stale-if-error covers', entry, failed(301, true), 300, 'serve-stale'],
    ['the same, backoff over', entry, failed(300, true), 399, 'serve-stale-and-refresh'],
    ['at staleIfErrorUntil, in backoff', entry, failed(401, true), 400, 'refuse'],
    ['at staleIfErrorUntil, backoff over', entry, failed(400, true), 400, 'wait'],
  ] as const)('%s', (_, held, failure, now, decision) => {
    expect(decide({ entry: held, failure }, now)).toBe(decision)
  })
})

describe('decideAfterFailure', () => {
  it.each([
    ['nothing held', undefined, failed(0), 0, 'refuse'],
    ['still fresh', entry, failed(0), 199, 'serve'],
    ['at freshUntil', entry, failed(0), 200, 'serve-stale'],
    ['before staleUntil', entry, failed(0), 299, 'serve-stale'],
    ['at staleUntil', entry, failed(0), 300, 'refuse'],
    ['past staleUntil, an outage that stale-if-error covers', entry, failed(0, true), 399, 'serve-stale'],
    ['at staleIfErrorUntil', entry, failed(0, true), 400, 'refuse'],
    ['a look failed, which counts for no refresh', entry, undefined, 250, 'serve-stale'],
  ] as const)('%s', (_, held, failure, now, decision) => {
    expect(decideAfterFailure({ entry: held, failure }, now)).toBe(decision)
  })
})

describe('usableUntil', () => {
  it.each([
    ['no failure', undefined, 300],
    ['a refusal (4xx) or an unusable answer', failed(0, false), 300],
    ['an outage', failed(0, true), 400],
  ] as const)('%s', (_, failure, until) => {
    expect(usableUntil(entry, failure)).toBe(until)
  })
})

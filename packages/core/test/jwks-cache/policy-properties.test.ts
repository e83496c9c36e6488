import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { negativeTtl, refreshBackoff } from '../../src/jwks-cache/backoff.ts'
import { type CacheState, type Decision, decide, decideAfterFailure, usableUntil } from '../../src/jwks-cache/policy.ts'

const runs = { numRuns: 50_000 }
const length = fc.nat(1_000)

const entries = fc.tuple(length, length, length, length, length).map(([fetchedAt, early, rest, stale, longer]) => ({
  refreshAt: fetchedAt + early,
  freshUntil: fetchedAt + early + rest,
  staleUntil: fetchedAt + early + rest + stale,
  staleIfErrorUntil: fetchedAt + early + rest + stale + longer,
}))
const failures = fc.record({ count: fc.integer({ min: 1, max: 50 }), retryAt: fc.nat(6_000), isOutage: fc.boolean() })
const states: fc.Arbitrary<CacheState> = fc.record({
  entry: fc.option(entries, { nil: undefined }),
  failure: fc.option(failures, { nil: undefined }),
})
const times = fc.nat(6_000)

const serves = (decision: Decision): boolean => decision.startsWith('serve')
const mayStart = (decision: Decision): boolean => decision === 'wait' || decision.endsWith('-refresh')

describe('decide', () => {
  it('never serves at or past the end of the usable time, nor with nothing held', () => {
    fc.assert(
      fc.property(states, times, (state, now) => {
        if (!serves(decide(state, now))) return
        expect(state.entry === undefined ? now : usableUntil(state.entry, state.failure)).toBeGreaterThan(now)
      }),
      runs,
    )
  })

  it('never starts a fetch before retryAt, nor before refreshAt', () => {
    fc.assert(
      fc.property(states, times, (state, now) => {
        if (!mayStart(decide(state, now))) return
        expect(now).toBeGreaterThanOrEqual(state.failure?.retryAt ?? 0)
        expect(now).toBeGreaterThanOrEqual(state.entry?.refreshAt ?? 0)
      }),
      runs,
    )
  })

  it('has nobody wait who could be served, unless no failure is known', () => {
    fc.assert(
      fc.property(states, times, ({ entry, failure }, now) => {
        if (decide({ entry, failure }, now) !== 'wait' || entry === undefined) return
        expect(failure === undefined ? now >= entry.freshUntil : now >= usableUntil(entry, failure)).toBe(true)
      }),
      runs,
    )
  })

  it('refuses only in a backoff and with nothing usable', () => {
    fc.assert(
      fc.property(states, times, (state, now) => {
        if (decide(state, now) !== 'refuse') return
        expect(now).toBeLessThan(state.failure?.retryAt ?? 0)
        expect(state.entry === undefined || now >= usableUntil(state.entry, state.failure)).toBe(true)
      }),
      runs,
    )
  })

  it('calls keys stale exactly when they are served past freshUntil', () => {
    fc.assert(
      fc.property(states, times, (state, now) => {
        const decision = decide(state, now)
        if (!serves(decision) || state.entry === undefined) return
        expect(decision.startsWith('serve-stale')).toBe(now >= state.entry.freshUntil)
      }),
      runs,
    )
  })

  it('does not serve again, as time goes on, what it has ceased to serve, nor takes back leave to fetch', () => {
    fc.assert(
      fc.property(states, times, times, (state, one, other) => {
        const [before, after] = [Math.min(one, other), Math.max(one, other)]
        const then = decide(state, before)
        const now = decide(state, after)
        expect(!serves(then) && serves(now)).toBe(false)
        expect(mayStart(then) && !mayStart(now)).toBe(false)
      }),
      runs,
    )
  })
})

describe('decideAfterFailure', () => {
  it('says what decide says of serving, and never to wait or to start anything', () => {
    fc.assert(
      fc.property(states, times, (state, now) => {
        const answer = decideAfterFailure(state, now)
        expect(answer === 'serve' || answer === 'serve-stale' || answer === 'refuse').toBe(true)
        const decision = decide(state, now)
        expect(decision === 'wait' || decision.replace('-and-refresh', '') === answer).toBe(true)
      }),
      runs,
    )
  })
})

describe('a provider that is down, step by step', () => {
  it('is asked no more often than the backoff allows, whatever the requests', () => {
    const gaps = fc.array(fc.nat(20_000), { minLength: 300, maxLength: 300 })
    fc.assert(
      fc.property(
        entries,
        gaps,
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (held, steps, random) => {
          const draw = (): number => random.next().value
          for (const entry of [held, undefined]) {
            let state: CacheState = { entry, failure: undefined }
            let [now, fetches, firstAt] = [0, 0, 0]
            for (const step of steps) {
              now += step
              if (!mayStart(decide(state, now))) continue
              fetches += 1
              if (fetches === 1) firstAt = now
              const pause = entry === undefined ? negativeTtl(1_000, fetches) : refreshBackoff(fetches, draw)
              state = { entry, failure: { count: fetches, retryAt: now + pause, isOutage: true } }
            }
            // Half of 1, 2, 4, … 60 s at least; 1, 2, 4, 8, 10 s where nothing is held.
            let [earliest, attempts] = [0, 1]
            while (earliest <= now - firstAt) {
              earliest +=
                entry === undefined
                  ? Math.min(10_000, 1_000 * 2 ** (attempts - 1))
                  : Math.min(60_000, 1_000 * 2 ** (attempts - 1)) / 2
              attempts += 1
            }
            expect(fetches).toBeLessThanOrEqual(attempts)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elapsed, type Instant } from '../../src/base/clock.ts'
import { type Decision, decide, decideAfterFailure, type PolicyState, usableFor } from '../../src/jwks-cache/policy.ts'
import { negativeTtl, refreshBackoff } from '../../src/jwks-cache/retry.ts'

const runs = { numRuns: 20_000 }
const length = fc.nat(1_000)
/** Milliseconds by which the wall clock is wrong: mostly a little, sometimes decades, in either direction. */
const offset = fc.oneof(fc.constant(0), fc.integer({ min: -3_000, max: 3_000 }), fc.integer({ min: -1e12, max: 1e12 }))
/** A moment within the first seconds, whatever the wall clock shows. */
const moments: fc.Arbitrary<Instant> = fc
  .tuple(fc.nat(6_000), offset)
  .map(([monotonic, wrong]) => ({ wall: monotonic + wrong, monotonic }))

const lifetimesSets = fc.tuple(length, length, length, length).map(([early, rest, stale, longer]) => ({
  refreshAfter: early,
  freshFor: early + rest,
  staleFor: early + rest + stale,
  staleIfErrorFor: early + rest + stale + longer,
}))
const states: fc.Arbitrary<PolicyState> = fc.record({
  cached: fc.option(fc.record({ fetchedAt: moments, lifetimes: lifetimesSets }), { nil: undefined }),
  failure: fc.option(
    fc.record({ count: fc.integer({ min: 1, max: 50 }), at: moments, pause: fc.nat(6_000), isOutage: fc.boolean() }),
    { nil: undefined },
  ),
})

const serves = (decision: Decision): boolean => decision.startsWith('serve')
const mayStart = (decision: Decision): boolean => decision === 'wait' || decision.endsWith('-refresh')
/** Milliseconds since the fetch; endless without one. */
const ageOf = ({ cached }: PolicyState, now: Instant): number =>
  cached === undefined ? Number.POSITIVE_INFINITY : elapsed(cached.fetchedAt, now)
const usable = ({ cached, failure }: PolicyState): number =>
  cached === undefined ? 0 : usableFor(cached.lifetimes, failure)
const isInBackoff = ({ failure }: PolicyState, now: Instant): boolean =>
  failure !== undefined && elapsed(failure.at, now) < failure.pause

describe('decide', () => {
  it('never serves at or past the end of the usable time, nor where nothing is cached', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        fc.pre(serves(decide(state, now)))
        expect(ageOf(state, now)).toBeLessThan(usable(state))
      }),
      runs,
    )
  })

  it('never starts a fetch during a backoff, nor before one is due', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        if (!mayStart(decide(state, now))) return
        expect(isInBackoff(state, now)).toBe(false)
        expect(ageOf(state, now)).toBeGreaterThanOrEqual(state.cached?.lifetimes.refreshAfter ?? 0)
      }),
      runs,
    )
  })

  it('makes no request wait that could be served, unless no refresh has failed', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        const { cached, failure } = state
        if (decide(state, now) !== 'wait' || cached === undefined) return
        const limit = failure === undefined ? cached.lifetimes.freshFor : usable(state)
        expect(ageOf(state, now)).toBeGreaterThanOrEqual(limit)
      }),
      runs,
    )
  })

  it('refuses only during a backoff and without usable keys', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        if (decide(state, now) !== 'refuse') return
        expect(isInBackoff(state, now)).toBe(true)
        expect(ageOf(state, now)).toBeGreaterThanOrEqual(usable(state))
      }),
      runs,
    )
  })

  it('calls keys stale exactly where it serves them past their fresh lifetime', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        const decision = decide(state, now)
        if (!serves(decision) || state.cached === undefined) return
        expect(decision.startsWith('serve-stale')).toBe(ageOf(state, now) >= state.cached.lifetimes.freshFor)
      }),
      runs,
    )
  })

  it('does not serve again, as time goes on, what it no longer served, and forbids no fetch that it has allowed', () => {
    fc.assert(
      fc.property(states, moments, fc.nat(6_000), fc.nat(6_000), (state, before, monotonic, wall) => {
        const after = { wall: before.wall + wall, monotonic: before.monotonic + monotonic }
        const [then, now] = [decide(state, before), decide(state, after)]
        expect(!serves(then) && serves(now)).toBe(false)
        expect(mayStart(then) && !mayStart(now)).toBe(false)
      }),
      runs,
    )
  })
})

describe('decide, on a wall clock that is stepped', () => {
  it('serves no longer than the options allow on the monotonic clock, whatever the wall clock shows', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        const { cached } = state
        if (cached === undefined || now.monotonic - cached.fetchedAt.monotonic < usable(state)) return
        expect(serves(decide(state, now))).toBe(false)
        expect(decideAfterFailure(state, now)).toBe('refuse')
      }),
      runs,
    )
  })

  it('extends no backoff beyond its pause on the monotonic clock, whatever the wall clock shows', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        const { failure } = state
        if (failure !== undefined && now.monotonic - failure.at.monotonic < failure.pause) return
        expect(decide(state, now)).not.toBe('refuse')
        expect(ageOf(state, now) < usable(state) || decide(state, now) === 'wait').toBe(true)
      }),
      runs,
    )
  })

  it('decides as without a wall clock where that was set back, by any amount', () => {
    fc.assert(
      fc.property(states, fc.nat(6_000), fc.integer({ min: 0, max: 1e12 }), (state, time, behind) => {
        const right = (moment: Instant): Instant => ({ wall: moment.monotonic, monotonic: moment.monotonic })
        const before = withMoments(state, right)
        const now = { wall: time - behind, monotonic: time }
        expect(decide(before, now)).toBe(decide(before, { wall: time, monotonic: time }))
      }),
      runs,
    )
  })

  it('ends what was fetched or failed while the wall clock was ahead by the monotonic clock, once it is put right', () => {
    fc.assert(
      fc.property(states, fc.nat(6_000), fc.integer({ min: 0, max: 1e12 }), (state, time, ahead) => {
        const stepped = (moment: Instant): Instant => ({ wall: moment.monotonic + ahead, monotonic: moment.monotonic })
        const right = (moment: Instant): Instant => ({ wall: moment.monotonic, monotonic: moment.monotonic })
        const now = { wall: time, monotonic: time }
        expect(decide(withMoments(state, stepped), now)).toBe(decide(withMoments(state, right), now))
      }),
      runs,
    )
  })

  it('expires keys and ends backoffs by the wall clock where a suspended machine has stopped the monotonic one', () => {
    fc.assert(
      fc.property(states, fc.nat(6_000), (state, slept) => {
        const right = (moment: Instant): Instant => ({ wall: moment.monotonic, monotonic: moment.monotonic })
        const before = withMoments(state, right)
        const woken = { wall: 6_000 + slept, monotonic: 6_000 }
        const awake = { wall: 6_000 + slept, monotonic: 6_000 + slept }
        expect(decide(before, woken)).toBe(decide(before, awake))
      }),
      runs,
    )
  })
})

describe('decideAfterFailure', () => {
  it('serves what decide serves, and neither waits nor starts anything', () => {
    fc.assert(
      fc.property(states, moments, (state, now) => {
        const result = decideAfterFailure(state, now)
        expect(['serve', 'serve-stale', 'refuse']).toContain(result)
        const decision = decide(state, now)
        expect(decision === 'wait' || decision.replace('-and-refresh', '') === result).toBe(true)
      }),
      runs,
    )
  })
})

describe('a provider that is down, with requests at any time', () => {
  it('gets no more fetches than the backoff allows', () => {
    const gaps = fc.array(fc.tuple(fc.nat(20_000), offset), { minLength: 300, maxLength: 300 })
    fc.assert(
      fc.property(
        lifetimesSets,
        gaps,
        fc.boolean(),
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (lifetimes, steps, isRight, random) => {
          const draw = (): number => random.next().value
          const fetchedAt = { wall: 0, monotonic: 0 }
          for (const cached of [{ fetchedAt, lifetimes }, undefined]) {
            let state: PolicyState = { cached, failure: undefined }
            let [time, fetches, firstAt] = [0, 0, 0]
            for (const [step, wrong] of steps) {
              time += step
              // A wall clock that is behind all the time ends no backoff early.
              const now = { wall: isRight ? time : Math.min(0, wrong) - 1e13, monotonic: time }
              if (!mayStart(decide(state, now))) continue
              fetches += 1
              if (fetches === 1) firstAt = time
              const pause = cached === undefined ? negativeTtl(1_000, fetches) : refreshBackoff(fetches, draw)
              const at = isRight ? now : { wall: 0, monotonic: time }
              state = { cached, failure: { count: fetches, at, pause, isOutage: true } }
            }
            // At least half of 1, 2, 4, … 60 s; 1, 2, 4, 8, 10 s where nothing is cached.
            let [earliest, attempts] = [0, 1]
            while (earliest <= time - firstAt) {
              const doubled = 1_000 * 2 ** (attempts - 1)
              earliest += cached === undefined ? Math.min(10_000, doubled) : Math.min(60_000, doubled) / 2
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

function withMoments(state: PolicyState, change: (moment: Instant) => Instant): PolicyState {
  const { cached, failure } = state
  return {
    cached: cached && { ...cached, fetchedAt: change(cached.fetchedAt) },
    failure: failure && { ...failure, at: change(failure.at) },
  }
}

import { describe, expect, it } from 'vitest'
import type { Instant } from '../../src/base/clock.ts'
import {
  KeySetMalformedError,
  UpstreamStatusError,
  UpstreamTimedOutError,
} from '../../src/base/errors/upstream-errors.ts'
import { storedPolicy, validatorsOf } from '../../src/http/freshness.ts'
import type { KeySet } from '../../src/jwks/key-set.ts'
import type { CacheOptions } from '../../src/jwks-cache/cache-options.ts'
import {
  type CacheState,
  cachedKeys,
  EMPTY,
  evicted,
  type Failure,
  failed,
  fetched,
  forgotten,
  loaded,
  revoked,
  type Transition,
  type TransitionContext,
} from '../../src/jwks-cache/cache-state.ts'
import { NOTHING_REFUSED } from '../../src/jwks-cache/key-set-response.ts'
import { lifetimesOf, UNLIMITED } from '../../src/jwks-cache/policy.ts'
import type { ImmutableKeys } from '../../src/jwks-cache/usable-keys.ts'
import { createRevocations, type Revocations } from '../../src/jwks-cache/usable-keys.ts'
import { providerDefaults } from '../../src/registry/provider-options.ts'
import { immutableKeys, kidsOf, published } from './immutable-scene.ts'

const url = 'https://auth0.test/jwks'

/** Both clocks show the same time. */
function at(time: number): Instant {
  return { wall: time, monotonic: time }
}

const policyAt = (time: number, headers: Readonly<Record<string, string>> = { etag: '"1"' }) =>
  storedPolicy(url, headers, time)

/** Transitions of one cache, with `random` always 0. */
function startCache(given: Partial<CacheOptions> = {}, revocations: Revocations = createRevocations()) {
  const options: CacheOptions = { ...providerDefaults, prefetchJitter: 0, ...given }
  let state: CacheState = EMPTY
  const context = (time: Instant): TransitionContext => ({ options, now: time, random: () => 0, revocations })
  const events: string[] = []
  function apply<Result extends Transition>(transition: Result): Result {
    state = transition.state
    events.push(...transition.events.map(([type, details]) => ('kid' in details ? `${type} ${details.kid}` : type)))
    return transition
  }
  return {
    revocations,
    /** The events so far, oldest first. */
    events,
    state: () => state,
    kids: () => ({
      published: sorted(cachedKeys(state)?.published),
      usable: sorted(state.usable),
    }),
    etag: () => state.cached && validatorsOf(state.cached.policy).etag,
    fetched(keySet: KeySet, time = at(10), change: Partial<Parameters<typeof fetched>[1]> = {}) {
      const policy = policyAt(time.wall)
      const response = { keySet, policy, modified: true, fetchedAt: time, requestNumber: 1, ...NOTHING_REFUSED }
      return apply(fetched(state, { ...response, ...change }, context(time)))
    },
    failed(time = at(20), change: Partial<Failure> = {}) {
      const failure = { error: new UpstreamTimedOutError(), failedAt: time, backsOff: true, ...NOTHING_REFUSED }
      return apply(failed(state, { ...failure, ...change }, context(time)))
    },
    /** Loads a snapshot; false where that brings nothing new. */
    loaded(keys: KeySet | ImmutableKeys, fetchedAt: Instant, now = fetchedAt, writtenAt = fetchedAt.wall): boolean {
      const policy = policyAt(fetchedAt.wall)
      const snapshot =
        'keySet' in keys
          ? { published: keys.keySet, policy, fetchedAt, writtenAt, lifetimes: UNLIMITED, immutable: keys.history }
          : {
              ...{ published: keys, policy, fetchedAt, writtenAt, immutable: undefined },
              lifetimes: lifetimesOf(policy, options, 0),
            }
      const transition = loaded(state, snapshot, context(now))
      if (transition !== undefined) apply(transition)
      return transition !== undefined
    },
    revoke(kid: string) {
      revocations.revoke(kid, cachedKeys(state)?.published)
      state = revoked(state, { revocations })
    },
    lift(kid: string) {
      revocations.lift(kid)
      state = revoked(state, { revocations })
    },
    forget(kid: string, time: Instant): boolean {
      const transition = forgotten(state, kid, context(time))
      if (transition !== undefined) apply(transition)
      return transition !== undefined
    },
    evict: () => apply(evicted(state)),
  }
}

function sorted(keySet: KeySet | undefined): readonly string[] {
  return keySet === undefined ? [] : kidsOf({ keySet }).toSorted()
}

const materials = (keySet: KeySet): ReadonlySet<string> => new Set(keySet.keys.map(({ material }) => material))

describe('fetched', () => {
  it('replaces the cached keys and reports what has changed', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1'], ['b', '2'], ['c', '3']))
    const { changes } = cache.fetched(published(['b', '2'], ['c', '4'], ['d', '5']), at(20))
    expect(changes).toEqual({ added: ['d'], removed: ['a'], changed: ['c'] })
    expect(cache.kids()).toEqual({ published: ['b', 'c', 'd'], usable: ['b', 'c', 'd'] })
    expect(cache.events).toEqual([
      ...['key-added a', 'key-added b', 'key-added c'],
      ...['key-added d', 'key-removed a', 'key-changed c'],
    ])
    expect(cache.state().cached).toMatchObject({ fetchedAt: at(20), source: 'upstream', requestNumber: 1 })
  })

  it('computes the lifetimes from the response', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']), at(10), { policy: policyAt(10, { 'cache-control': 'max-age=600' }) })
    expect(cache.state().cached?.lifetimes).toEqual({
      refreshAfter: 570_000,
      freshFor: 600_000,
      staleFor: 4_200_000,
      staleIfErrorFor: 4_200_000,
    })
  })

  it('ends a failure, its backoff included', () => {
    const cache = startCache()
    cache.failed(at(5))
    cache.fetched(published(['a', '1']))
    expect(cache.state()).toMatchObject({ failure: undefined, lastError: undefined })
  })

  it('does not use revoked keys of the response', () => {
    const cache = startCache()
    cache.revoke('a')
    cache.fetched(published(['a', '1'], ['b', '2']))
    expect(cache.kids()).toEqual({ published: ['a', 'b'], usable: ['b'] })
  })

  it('reports refused keys in one event', () => {
    const cache = startCache()
    const refused = { count: 12, first: [{ kid: 'x', reason: 'malformed' as const }] }
    const { events } = cache.fetched(published(['a', '1']), at(10), { refused })
    expect(events[0]).toEqual(['keys-refused', { count: 12, refused: [{ kid: 'x', reason: 'malformed' }] }])
  })

  it('leaves the state that it started from as it was', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    const before = cache.state()
    const copy = { ...before }
    cache.fetched(published(['b', '2']), at(20))
    expect(before).toEqual(copy)
    expect(EMPTY).toMatchObject({ cached: undefined, failure: undefined, lastError: undefined })
  })
})

describe('failed', () => {
  it('keeps the cached keys and starts a backoff that doubles', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    for (const [count, pause] of [
      [1, 500],
      [2, 1_000],
      [3, 2_000],
    ] as const) {
      cache.failed(at(count * 100))
      expect(cache.state().failure).toEqual({ count, at: at(count * 100), pause, isOutage: true })
    }
    expect(cache.kids().usable).toEqual(['a'])
  })

  it('uses negativeCacheTtl where nothing is cached', () => {
    const cache = startCache({ negativeCacheTtl: 3_000 })
    cache.failed(at(10))
    expect(cache.state().failure).toMatchObject({ count: 1, pause: 3_000 })
    cache.failed(at(4_000))
    expect(cache.state().failure).toMatchObject({ count: 2, pause: 6_000 })
  })

  it('starts no backoff for a refetch, but remembers its error', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    const error = new UpstreamTimedOutError()
    cache.failed(at(20), { error, backsOff: false })
    expect(cache.state()).toMatchObject({ failure: undefined, lastError: error })
  })

  it.each([
    ['a timeout', new UpstreamTimedOutError(), true],
    ['a 503', new UpstreamStatusError(503), true],
    ['a 404', new UpstreamStatusError(404), false],
    ['a body that is no key set', new KeySetMalformedError('it is not JSON'), false],
  ])('counts %s as an outage or not', (_, error, isOutage) => {
    const cache = startCache()
    cache.failed(at(20), { error })
    expect(cache.state().failure?.isOutage).toBe(isOutage)
  })

  it.each([
    ['for a minute without keys', undefined, 60_000],
    ['for a minute with stale keys', 31_000, 60_000],
    ['for ten minutes with keys that stay fresh for longer', 86_400_000, 600_000],
  ])('obeys a long Retry-After %s', (_, ttl, pause) => {
    const cache = startCache({ minTtl: 30_000, maxTtl: ttl ?? 30_000, defaultTtl: ttl ?? 30_000 })
    if (ttl !== undefined) cache.fetched(published(['a', '1']), at(0))
    cache.failed(at(31_000), { error: new UpstreamStatusError(429, { retryAfter: 3_600_000 }) })
    expect(cache.state().failure?.pause).toBe(pause)
  })

  it("takes over another process's backoff", () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    cache.failed(at(20), { shared: { count: 5, pause: 7_777 } })
    expect(cache.state().failure).toMatchObject({ count: 5, pause: 7_777 })
  })

  it('drops keys whose private half was published, revoked or not, and reports it', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1'], ['b', '2']))
    cache.revoke('b')
    cache.failed(at(20), { compromised: materials(published(['a', '1'])) })
    expect(cache.kids()).toEqual({ published: ['b'], usable: [] })
    expect(cache.events).toContain('key-removed a')
    expect(cache.etag()).toBeUndefined()
  })

  it('has nothing cached any more where every key was compromised', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    cache.failed(at(20), { compromised: materials(published(['a', '1'])) })
    expect(cachedKeys(cache.state())).toBeUndefined()
    // As after a first fetch: not the backoff of a refresh.
    expect(cache.state().failure).toMatchObject({ count: 1, pause: 1_000 })
  })

  it('sends validators no more that led to a 304 about something else', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    expect(cache.etag()).toBe('"1"')
    cache.failed(at(20), { error: new UpstreamStatusError(304) })
    expect(cache.etag()).toBeUndefined()
    expect(cache.kids().usable).toEqual(['a'])
  })
})

describe('loaded', () => {
  it('takes over a snapshot where nothing is cached, and ends a failure', () => {
    const cache = startCache()
    cache.failed(at(5))
    expect(cache.loaded(published(['a', '1']), at(3), at(10))).toBe(true)
    expect(cache.kids().usable).toEqual(['a'])
    expect(cache.state()).toMatchObject({ cached: { source: 'store', requestNumber: 0 }, failure: undefined })
    expect(cache.events).toEqual(['snapshot-loaded'])
  })

  it.each([
    ['newer', at(11), true],
    ['of the same time', at(10), false],
    ['older', at(9), false],
  ])('compares a snapshot that is %s with the cached keys', (_, fetchedAt, isTaken) => {
    const cache = startCache()
    cache.fetched(published(['a', '1']), at(10))
    expect(cache.loaded(published(['b', '2']), fetchedAt, at(20))).toBe(isTaken)
    expect(cache.kids().usable).toEqual([isTaken ? 'b' : 'a'])
  })

  it('prefers the keys that are newer in elapsed time where the wall clock was ahead when they were fetched', () => {
    const cache = startCache()
    // Fetched five seconds ago, by a wall clock a year ahead; the snapshot is a minute old.
    cache.fetched(published(['a', '1']), { wall: 31_536_000_000, monotonic: 95_000 })
    const snapshot = { wall: 40_000, monotonic: 40_000 }
    expect(cache.loaded(published(['b', '2']), snapshot, at(100_000))).toBe(false)
  })

  it('keeps the backoff where the snapshot of the cached keys is read again and the clocks have drifted', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']), at(10))
    cache.failed(at(20))
    // Half a millisecond passed that the wall clock does not show.
    const now = { wall: 30, monotonic: 30.5 }
    expect(cache.loaded(published(['a', '1']), { wall: 10, monotonic: 10.5 }, now)).toBe(false)
    expect(cache.state().failure?.count).toBe(1)
  })

  it('keeps the backoff where the snapshot is of a machine whose clock is ahead, and is read again', () => {
    const cache = startCache()
    expect(cache.loaded(published(['a', '1']), at(10), at(10), 4_000)).toBe(true)
    cache.failed(at(20))
    expect(cache.loaded(published(['a', '1']), at(30), at(30), 4_000)).toBe(false)
    expect(cache.state().failure?.count).toBe(1)
    expect(cache.loaded(published(['b', '2']), at(40), at(40), 4_001)).toBe(true)
    expect(cache.state().failure).toBeUndefined()
  })

  it('does not use revoked keys of the snapshot', () => {
    const cache = startCache()
    cache.revoke('a')
    cache.loaded(published(['a', '1'], ['b', '2']), at(3))
    expect(cache.kids()).toEqual({ published: ['a', 'b'], usable: ['b'] })
  })
})

describe('revoked', () => {
  it('takes the keys of a kid out of use and, once it is lifted, back into it', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1'], ['b', '2']))
    const before = cache.state().usable
    cache.revoke('a')
    expect(cache.kids()).toEqual({ published: ['a', 'b'], usable: ['b'] })
    cache.lift('a')
    expect(cache.state().usable).toBe(before)
  })

  it('keeps the cached set, its lifetimes and failures', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    cache.failed()
    const { usable: _, ...before } = cache.state()
    cache.revoke('a')
    expect(cache.state()).toMatchObject(before)
  })
})

describe('evicted', () => {
  it('drops the keys and the backoff, and remembers the last error', () => {
    const cache = startCache()
    cache.fetched(published(['a', '1']))
    cache.failed()
    const { lastError } = cache.state()
    cache.evict()
    expect(cache.state()).toEqual({ ...EMPTY, lastError })
    expect(cache.events.at(-1)).toBe('evicted')
  })
})

describe('immutable keys', () => {
  it('are those of upstream and of the store together', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1']), at(10))
    cache.loaded(immutableKeys([['b', '2', 5]]), at(5), at(11))
    cache.fetched(published(['c', '3']), at(11))
    expect(cache.kids().usable).toEqual(['a', 'b', 'c'])
    expect(new Map(cache.state().cached?.immutable?.learnedAt)).toEqual(
      new Map([
        ['a', 10],
        ['b', 5],
        ['c', 11],
      ]),
    )
  })

  it('neither change nor disappear by a response, and do not expire', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1'], ['b', '2']))
    const { changes } = cache.fetched(published(['a', '9']), at(20))
    expect(changes).toEqual({ added: [], removed: ['b'], changed: ['a'] })
    expect(materials(cache.state().usable)).toEqual(materials(published(['a', '1'], ['b', '2'])))
    expect(cache.state().cached?.lifetimes).toBe(UNLIMITED)
    expect(cache.events).not.toContain('key-removed b')
  })

  it('stay forgotten where a snapshot from before still has them', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1']))
    expect(cache.forget('a', at(20))).toBe(true)
    cache.loaded(
      immutableKeys([
        ['a', '1', 5],
        ['b', '2', 5],
      ]),
      at(5),
      at(21),
    )
    expect(cache.kids().published).toEqual(['b'])
    expect(cache.events).toContain('key-forgotten a')
  })

  it('cannot be forgotten twice, nor where they are not cached, nor where keys expire', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1']))
    expect([cache.forget('b', at(20)), cache.forget('a', at(20)), cache.forget('a', at(21))]).toEqual([
      false,
      true,
      false,
    ])
    const expiring = startCache()
    expiring.fetched(published(['a', '1']))
    expect(expiring.forget('a', at(20))).toBe(false)
  })

  it('are not replaced by a snapshot with the same history', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1']))
    const before = cache.state()
    expect(cache.loaded(immutableKeys([['a', '1', 10]]), at(10), at(11))).toBe(false)
    expect(cache.state()).toBe(before)
  })

  it('are revalidated as long as no key of that response is missing', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1'], ['b', '2']))
    expect(cache.etag()).toBe('"1"')
    cache.loaded(immutableKeys([['c', '3', 12]]), at(12), at(13))
    expect(cache.etag()).toBe('"1"')
    cache.forget('a', at(20))
    expect(cache.etag()).toBeUndefined()
    cache.fetched(published(['a', '1'], ['b', '2']), at(30))
    expect(cache.etag()).toBe('"1"')
  })

  it('are fetched unconditionally where another process has forgotten one of them', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1'], ['b', '2']))
    cache.loaded(immutableKeys([['b', '2', 10]], [['a', 20]]), at(5), at(21))
    expect(cache.kids().published).toEqual(['b'])
    expect(cache.etag()).toBeUndefined()
  })

  it('do not come back by a 304 to a request from before they were forgotten', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    const keySet = published(['a', '1'], ['b', '2'])
    cache.fetched(keySet)
    cache.forget('a', at(20))
    cache.fetched(keySet, at(30), { modified: false })
    expect(cache.kids().published).toEqual(['b'])
    expect(cache.etag()).toBeUndefined()
  })

  it('are forgotten, so that no other process brings them back, where their private half was published', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1'], ['b', '2']))
    cache.fetched(published(['b', '2']), at(20), { compromised: materials(published(['a', '1'])) })
    expect(cache.kids().published).toEqual(['b'])
    expect(cache.state().cached?.immutable?.forgottenAt).toEqual([['a', 20]])
    cache.loaded(immutableKeys([['a', '1', 5]]), at(5), at(21))
    expect(cache.kids().published).toEqual(['b'])
  })

  it('keep their history where the last one was forgotten', () => {
    const cache = startCache({ keyLifetime: 'immutable' })
    cache.fetched(published(['a', '1']))
    cache.forget('a', at(20))
    expect(cachedKeys(cache.state())).toBeUndefined()
    expect(cache.state().cached?.immutable?.forgottenAt).toEqual([['a', 20]])
  })
})

import { type Clock, elapsed, type Instant, instant, schedule } from '../base/clock.ts'
import { type Freshness, freshnessOf, type StoredPolicy } from '../http/freshness.ts'
import type { CacheOptions } from './cache-options.ts'

/** The failed refreshes since the last one that succeeded. */
export interface RefreshFailure {
  /** How many there were. */
  readonly count: number
  /** When the last one failed. */
  readonly at: Instant
  /** Milliseconds after that before which no refresh is started. */
  readonly pause: number
  /** True for a 5xx or a broken network: what `stale-if-error` is for. */
  readonly isOutage: boolean
}

/** What the decision depends on, beside the time. */
export interface PolicyState {
  /** When the cached key set was fetched, and how long it may be used; absent where no keys are cached. */
  readonly cached: { readonly fetchedAt: Instant; readonly lifetimes: Lifetimes } | undefined
  /** Absent once a refresh has succeeded. */
  readonly failure: RefreshFailure | undefined
}

/** What to do with a request for the key set. */
export type Decision =
  | 'serve'
  | 'serve-and-refresh'
  | 'serve-stale'
  | 'serve-stale-and-refresh'
  /** Start a refresh, or join the one in flight, and decide again. */
  | 'wait'
  /** No usable keys, and the backoff forbids a refresh. */
  | 'refuse'

/** The behaviour of the cache as a pure function of its state and the time. */
export function decide({ cached, failure }: PolicyState, now: Instant): Decision {
  const mayRefresh = failure === undefined || backoffLeft(failure, now) <= 0
  if (cached === undefined) return mayRefresh ? 'wait' : 'refuse'
  const age = elapsed(cached.fetchedAt, now)
  if (age < cached.lifetimes.refreshAfter) return 'serve'
  if (age < cached.lifetimes.freshFor) return mayRefresh ? 'serve-and-refresh' : 'serve'
  if (age >= usableFor(cached.lifetimes, failure)) return mayRefresh ? 'wait' : 'refuse'
  if (failure === undefined) return 'wait'
  return mayRefresh ? 'serve-stale-and-refresh' : 'serve-stale'
}

/** Decides after a refresh that the caller has waited for has failed: never wait again. */
export function decideAfterFailure({ cached, failure }: PolicyState, now: Instant): 'serve' | 'serve-stale' | 'refuse' {
  if (cached === undefined) return 'refuse'
  const age = elapsed(cached.fetchedAt, now)
  if (age >= usableFor(cached.lifetimes, failure)) return 'refuse'
  return age < cached.lifetimes.freshFor ? 'serve' : 'serve-stale'
}

/** Milliseconds after the fetch until which the keys may serve, given how the last refresh failed. */
export function usableFor(
  lifetimes: Pick<Lifetimes, 'staleFor' | 'staleIfErrorFor'>,
  failure: RefreshFailure | undefined,
): number {
  return failure?.isOutage === true ? lifetimes.staleIfErrorFor : lifetimes.staleFor
}

/** Milliseconds until a refresh may be started again; 0 or less where it may be now. */
export function backoffLeft(failure: RefreshFailure | undefined, now: Instant): number {
  return failure === undefined ? 0 : failure.pause - elapsed(failure.at, now)
}

/** How long a cached key set may be used, in milliseconds since it was fetched. */
export interface Lifetimes {
  /** After this it is refreshed ahead of its expiry. */
  readonly refreshAfter: number
  /** Until this it is fresh. */
  readonly freshFor: number
  /** Until this it may serve while refreshes fail. */
  readonly staleFor: number
  /** The same, where the failure is a 5xx or a broken network and the response had `stale-if-error` (RFC 5861 §4). */
  readonly staleIfErrorFor: number
}

/** The options that lifetimes depend on. */
export type LifetimeOptions = Pick<
  CacheOptions,
  'minTtl' | 'maxTtl' | 'defaultTtl' | 'refreshEarly' | 'prefetchJitter' | 'prefetch' | 'staleWhileError' | 'maxStale'
>

/** The lifetimes of keys that never expire. */
export const UNLIMITED: Lifetimes = Object.freeze({
  refreshAfter: Number.POSITIVE_INFINITY,
  freshFor: Number.POSITIVE_INFINITY,
  staleFor: Number.POSITIVE_INFINITY,
  staleIfErrorFor: Number.POSITIVE_INFINITY,
})

/** Milliseconds for which a response is fresh: its own lifetime, within the operator's bounds. */
export function timeToLive(
  { lifetime }: Freshness,
  { minTtl, maxTtl, defaultTtl }: Pick<CacheOptions, 'minTtl' | 'maxTtl' | 'defaultTtl'>,
): number {
  return Math.min(Math.max(lifetime ?? defaultTtl, minTtl), maxTtl)
}

/**
 * Computes the lifetimes of a response. The early refresh, jitter included, never starts before half of the time to live:
 * a longer lead would make the next refresh due at once, again and again.
 *
 * @param random a number from 0 to below 1, for `prefetchJitter`
 */
export function lifetimesOf(policy: StoredPolicy, options: LifetimeOptions, random: number): Lifetimes {
  const freshness = freshnessOf(policy)
  const ttl = timeToLive(freshness, options)
  const lead = options.refreshEarly + random * options.prefetchJitter
  const window = Math.min(options.staleWhileError, options.maxStale)
  // An explicit 0 means that stale keys are never wanted, whatever the response allows.
  const longWindow = window === 0 ? 0 : Math.min(Math.max(window, freshness.staleIfError), options.maxStale)
  return {
    refreshAfter: options.prefetch === 'never' ? ttl : Math.max(ttl / 2, ttl - lead),
    freshFor: ttl,
    staleFor: ttl + window,
    staleIfErrorFor: ttl + longWindow,
  }
}

/** Refreshes a provider's keys ahead of their expiry, with one timer at most and none for an idle provider. */
export interface RefreshAhead {
  /** The keys were used. */
  used(): void
  /** A fetch has ended, successfully or not. */
  fetched(): void
  /** Cancels the timer. */
  stop(): void
}

/** Milliseconds between two first fetches, where a backoff of 0 would make them a loop. */
const SHORTEST_PAUSE = 1_000

/** Milliseconds below which a timer is not worth setting again: clocks differ by fractions of one. */
const SHORTEST_DELAY = 1

/** What the schedule depends on. */
export interface RefreshSchedule {
  /** Milliseconds until the next refresh may start; `undefined` where none is due, ever. */
  untilRefresh(): number | undefined
  hasKeys(): boolean
  refresh(): void
}

/** With `'active'` the first use after a fetch sets the timer, with `'always'` the fetch itself. */
export function createRefreshAhead(
  mode: CacheOptions['prefetch'],
  { untilRefresh, hasKeys, refresh }: RefreshSchedule,
  clock: Clock,
): RefreshAhead {
  let cancel: (() => void) | undefined

  function stop(): void {
    cancel?.()
    cancel = undefined
  }

  function arm(): void {
    if (cancel !== undefined) return
    const wait = untilRefresh()
    if (wait === undefined || wait === Number.POSITIVE_INFINITY) return
    const delay = Math.max(hasKeys() ? 0 : SHORTEST_PAUSE, wait)
    // Once it is due, the requests themselves start it.
    if (delay <= 0 && mode !== 'always') return
    cancel = schedule(clock, delay, () => {
      cancel = undefined
      // The timer was set while the wall clock was ahead; it has been put right since.
      if ((untilRefresh() ?? 0) >= SHORTEST_DELAY) arm()
      else refresh()
    })
  }

  return {
    used() {
      if (mode === 'active') arm()
    },
    fetched() {
      stop()
      if (mode === 'always') arm()
    },
    stop,
  }
}

/** Notices when a provider can no longer, or again, serve requests. */
export interface Availability {
  /** True from `unavailable` to `recovered`. */
  readonly isUnavailable: boolean
  /** The state has changed, or a request shows that time has: reports a change, if there is one. */
  check(): void
  /** Cancels the timer. */
  stop(): void
}

/**
 * Creates the watch of one cache. While refreshes fail and cached keys serve, one timer ends with the stale window, so that
 * keys that run out without a request are noticed, too. A provider that is idle or healthy has no timer: its next request
 * fetches, and can be served.
 */
export function createAvailability(
  { state, report }: { state(): PolicyState; report(change: 'unavailable' | 'recovered'): void },
  clock: Clock,
): Availability {
  let isUnavailable = false
  let cancel: (() => void) | undefined

  function stop(): void {
    cancel?.()
    cancel = undefined
  }

  /** Milliseconds that the cached keys may serve; negative where they may not. */
  function timeLeft(): number {
    const { cached, failure } = state()
    if (cached === undefined) return Number.NEGATIVE_INFINITY
    return usableFor(cached.lifetimes, failure) - elapsed(cached.fetchedAt, instant(clock))
  }

  function check(): void {
    stop()
    const left = timeLeft()
    const { failure } = state()
    // Without keys and without a failure nothing is known: the next request fetches.
    const isUnavailableNow = left > 0 ? false : failure === undefined ? isUnavailable : true
    if (failure !== undefined && left > 0 && left !== Number.POSITIVE_INFINITY) {
      cancel = schedule(clock, Math.max(SHORTEST_DELAY, left), check)
    }
    if (isUnavailableNow === isUnavailable) return
    isUnavailable = isUnavailableNow
    report(isUnavailable ? 'unavailable' : 'recovered')
  }

  return {
    get isUnavailable() {
      return isUnavailable
    },
    check,
    stop,
  }
}

import { elapsed, type Instant } from '../base/clock.ts'
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

import { type Freshness, freshnessOf, type StoredPolicy } from '../http/freshness.ts'
import type { CacheOptions } from './cache-options.ts'

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

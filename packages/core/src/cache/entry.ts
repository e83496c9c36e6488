import type { JWK } from 'jose'
import { type Freshness, freshnessOf, type StoredPolicy } from '../http/freshness.ts'
import type { CacheOptions } from './cache-options.ts'
import type { ImmutableHistory } from './immutable-keys.ts'

/** The moments at which a key set's standing changes, in milliseconds since the epoch. */
export interface EntryTimes {
  /** When the answer arrived. */
  readonly fetchedAt: number
  /** From here on it is refreshed ahead of its expiry. */
  readonly refreshAt: number
  /** Until here it is fresh. */
  readonly freshUntil: number
  /** Until here it may serve while refreshes fail. */
  readonly staleUntil: number
  /** The same, where the failure is a 5xx or a broken network and the answer had `stale-if-error` (RFC 5861 §4). */
  readonly staleIfErrorUntil: number
}

/** A key set with all that is known of it: plain data with absolute times, fit to be written down as it is. */
export interface Entry extends EntryTimes {
  /** The version of this form. */
  readonly version: 1
  /** The usable keys, public members only. */
  readonly keys: readonly Readonly<JWK>[]
  /** What HTTP said of the answer, validators included. */
  readonly policy: StoredPolicy
  /** Where keys are immutable: since when each is known. */
  readonly immutable?: ImmutableHistory
}

/** The options that an entry's times depend on. */
export type TtlOptions = Pick<
  CacheOptions,
  'minTtl' | 'maxTtl' | 'defaultTtl' | 'refreshEarly' | 'prefetchJitter' | 'prefetch' | 'staleWhileError' | 'maxStale'
>

/** Milliseconds for which a response is fresh here: what it says, within the operator's bounds. */
export function timeToLive(
  { lifetime }: Freshness,
  { minTtl, maxTtl, defaultTtl }: Pick<CacheOptions, 'minTtl' | 'maxTtl' | 'defaultTtl'>,
): number {
  return Math.min(Math.max(lifetime ?? defaultTtl, minTtl), maxTtl)
}

/**
 * Computes an entry's times. The early refresh, jitter included, never reaches past half of the time to live:
 * a lead longer than that would make the next refresh due at once, again and again.
 *
 * @param random a number from 0 to below 1, for `prefetchJitter`
 */
export function entryTimes(policy: StoredPolicy, fetchedAt: number, options: TtlOptions, random: number): EntryTimes {
  const freshness = freshnessOf(policy)
  const ttl = timeToLive(freshness, options)
  const freshUntil = fetchedAt + ttl
  const lead = options.refreshEarly + random * options.prefetchJitter
  const refreshAt = options.prefetch === 'never' ? freshUntil : Math.max(fetchedAt + ttl / 2, freshUntil - lead)
  const window = Math.min(options.staleWhileError, options.maxStale)
  // An explicit 0 means that stale keys are never wanted, whatever the answer allows.
  const longWindow = window === 0 ? 0 : Math.min(Math.max(window, freshness.staleIfError), options.maxStale)
  return {
    fetchedAt,
    refreshAt,
    freshUntil,
    staleUntil: freshUntil + window,
    staleIfErrorUntil: freshUntil + longWindow,
  }
}

/** The times of keys that never expire. */
export function immutableTimes(fetchedAt: number): EntryTimes {
  const never = Number.POSITIVE_INFINITY
  return { fetchedAt, refreshAt: never, freshUntil: never, staleUntil: never, staleIfErrorUntil: never }
}

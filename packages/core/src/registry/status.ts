import { elapsed, type Instant } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { cachedKeys } from '../jwks-cache/cache-state.ts'
import { createMetrics, type Metrics } from '../jwks-cache/metrics.ts'
import { usableFor } from '../jwks-cache/policy.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { StoreSide } from '../persistence/store-circuit.ts'

/** The status of a provider's cache. Times are ISO 8601 in UTC; absent ones are `undefined`. */
export interface ProviderStatus extends ProviderKey {
  /**
   * `'empty'`: no keys are cached that may be used; `'loading'`: the same, and a fetch is in flight; `'ready'`: there are
   * such keys; `'refreshing'`: the same, and a fetch is in flight. `health` is `'unavailable'` in the first two and in no other.
   */
  readonly state: 'empty' | 'loading' | 'ready' | 'refreshing'
  /**
   * `'fresh'`; `'stale'`: past expiry, and not requested since; `'failing'`: the last refresh failed (`errorCount` is not 0)
   * and the cached keys still serve; `'unavailable'`: no usable keys are cached.
   */
  readonly health: 'fresh' | 'stale' | 'failing' | 'unavailable'
  /** When the cached keys were last fetched or confirmed. */
  readonly lastRefresh: string | undefined
  /** From when on the next refresh may start. */
  readonly nextRefresh: string | undefined
  /** Until when the keys are fresh. */
  readonly expiresAt: string | undefined
  /** Until when they may serve while refreshes fail. */
  readonly staleUntil: string | undefined
  /** Refreshes that failed since the last one that succeeded. */
  readonly errorCount: number
  /** How the last attempt failed, if it did, refetches for unknown `kid`s included: a code of `docs/errors.md` and its fixed sentence. */
  readonly lastError: Pick<JwksAuthError, 'code' | 'message'> | undefined
  /** The share of requests that cached keys served, 0 to 1; 0 before the first. */
  readonly hitRate: number
  /** The share of requests served with keys past their expiry, 0 to 1. */
  readonly staleServeRatio: number
  /** The `kid`s that verify now, in the order in which they are published. */
  readonly kids: readonly string[]
  /** Where the cached keys came from: fetched, loaded, or configured as `jwks`; `'none'` where nothing is cached. */
  readonly source: 'upstream' | 'store' | 'inline' | 'none'
  /** Health of the registry's store: `'failing'` while any side of it fails, `'none'` without a store. */
  readonly store: 'ready' | 'failing' | 'none'
  /**
   * The sides of the store that fail at the moment: a store that cannot be written is still read. `'coordinating'` are
   * leases, the shared refetch budget and notices. The events `store-failed` say which operation, for which provider, and why.
   */
  readonly failingStoreSides: readonly StoreSide[]
  /** What was counted since registration. */
  readonly metrics: Readonly<Metrics>
}

/** What a status is computed with, beside the cache. */
export interface StatusContext {
  readonly now: Instant
  /** `undefined` without a store. */
  readonly failingSides: readonly StoreSide[] | undefined
}

/** The status of a provider; `cache` is absent until its first use. */
export function providerStatus(
  key: ProviderKey,
  cache: ProviderCache | undefined,
  { now, failingSides }: StatusContext,
): ProviderStatus {
  const state = cache?.state
  const metrics = { ...(cache?.metrics ?? createMetrics()) }
  const cached = state && cachedKeys(state)
  const lastError = state?.lastError
  const age = cached === undefined ? 0 : elapsed(cached.fetchedAt, now)
  const usable = cached === undefined ? 0 : usableFor(cached.lifetimes, state?.failure)
  const isFetching = cache?.isFetching === true
  const untilRefresh = cache?.untilRefresh()
  /** A moment so many milliseconds after the fetch; by the wall clock as it is now, should it have been stepped. */
  const at = (milliseconds: number): string | undefined =>
    cached === undefined ? undefined : isoTime(now.wall - age + milliseconds)
  const errorCount = state?.failure?.count ?? 0
  const canServe = cached !== undefined && age < usable
  return {
    ...key,
    state: canServe ? (isFetching ? 'refreshing' : 'ready') : isFetching ? 'loading' : 'empty',
    health: canServe ? healthOfServing(age < cached.lifetimes.freshFor, errorCount) : 'unavailable',
    lastRefresh: at(0),
    nextRefresh: untilRefresh === undefined ? undefined : isoTime(now.wall + untilRefresh),
    expiresAt: at(cached?.lifetimes.freshFor ?? 0),
    staleUntil: at(usable),
    errorCount,
    lastError: lastError === undefined ? undefined : { code: lastError.code, message: lastError.message },
    hitRate: ratio(metrics.hits, metrics.requests),
    staleServeRatio: ratio(metrics.stale, metrics.requests),
    kids: !canServe ? [] : [...(state?.usable.byKid.keys() ?? [])],
    source: cached?.source ?? 'none',
    store: failingSides === undefined ? 'none' : failingSides.length === 0 ? 'ready' : 'failing',
    failingStoreSides: failingSides ?? [],
    metrics,
  }
}

function healthOfServing(isFresh: boolean, errorCount: number): ProviderStatus['health'] {
  if (errorCount > 0) return 'failing'
  return isFresh ? 'fresh' : 'stale'
}

function isoTime(time: number): string | undefined {
  // Keys that never expire have no such moment.
  return Number.isFinite(time) ? new Date(time).toISOString() : undefined
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

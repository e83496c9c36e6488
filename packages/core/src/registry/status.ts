import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { type Counters, createCounters } from '../cache/counters.ts'
import { usableUntil } from '../cache/policy.ts'
import type { ProviderCache } from '../cache/provider-cache.ts'

/** How a provider's cache stands. Times are ISO 8601 in UTC; absent ones are `undefined`. */
export interface ProviderStatus extends ProviderKey {
  /** `'empty'`: nothing held; `'loading'`: and being fetched; `'ready'`; `'refreshing'`: held and being fetched. */
  readonly state: 'empty' | 'loading' | 'ready' | 'refreshing'
  /**
   * `'fresh'`; `'stale'`: past expiry, and not asked since; `'failing'`: the last attempt to fetch failed and what is
   * held still serves; `'unavailable'`: nothing usable is held.
   */
  readonly health: 'fresh' | 'stale' | 'failing' | 'unavailable'
  /** When the keys that are held were last fetched or confirmed. */
  readonly lastRefresh: string | undefined
  /** From when on the next refresh may start. */
  readonly nextRefresh: string | undefined
  /** Until when the keys are fresh. */
  readonly expiresAt: string | undefined
  /** Until when they may serve while refreshes fail. */
  readonly staleUntil: string | undefined
  /** Refreshes that failed since the last one that succeeded. */
  readonly errorCount: number
  /** How the last failed attempt failed: a code of `docs/errors.md` and its fixed sentence. */
  readonly lastError: Pick<JwksAuthError, 'code' | 'message'> | undefined
  /** The share of questions answered from what was held, 0 to 1; 0 before the first. */
  readonly hitRate: number
  /** The share of questions answered with keys past their expiry, 0 to 1. */
  readonly staleServeRatio: number
  /** The `kid`s that verify now, in the order in which they are published. */
  readonly kids: readonly string[]
  /** Where the keys that are held came from; `'none'` where nothing is held. */
  readonly source: 'upstream' | 'store' | 'none'
  /** How the registry's store stands: `'failing'` from a failure until it answers again, `'none'` without one. */
  readonly store: 'ready' | 'failing' | 'none'
  /** What was counted since registration. */
  readonly metrics: Readonly<Counters>
}

/** The status of a provider; `cache` is absent as long as nobody asked for its keys. */
export function providerStatus(
  key: ProviderKey,
  cache: ProviderCache | undefined,
  { now, store }: { readonly now: number; readonly store: ProviderStatus['store'] },
): ProviderStatus {
  if (cache === undefined) return emptyStatus(key, store)
  const { holdings, isFetching } = cache
  const counters = { ...holdings.counters }
  const entry = holdings.entry()
  const { failure } = holdings.state()
  const lastError = holdings.lastAttemptFailed() ? holdings.lastError() : undefined
  const usable = entry === undefined ? undefined : usableUntil(entry, failure)
  return {
    ...key,
    state: entry === undefined ? (isFetching ? 'loading' : 'empty') : isFetching ? 'refreshing' : 'ready',
    health: health(now, entry?.freshUntil, usable, holdings.lastAttemptFailed()),
    lastRefresh: isoTime(entry?.fetchedAt),
    nextRefresh: isoTime(holdings.nextRefresh()),
    expiresAt: isoTime(entry?.freshUntil),
    staleUntil: isoTime(usable),
    errorCount: failure?.count ?? 0,
    lastError: lastError === undefined ? undefined : { code: lastError.code, message: lastError.message },
    hitRate: ratio(counters.hits, counters.requests),
    staleServeRatio: ratio(counters.stale, counters.requests),
    kids: [...(holdings.active()?.byKid.keys() ?? [])],
    source: entry === undefined ? 'none' : holdings.source(),
    store,
    metrics: counters,
  }
}

function emptyStatus(key: ProviderKey, store: ProviderStatus['store']): ProviderStatus {
  return {
    ...key,
    state: 'empty',
    health: 'unavailable',
    lastRefresh: undefined,
    nextRefresh: undefined,
    expiresAt: undefined,
    staleUntil: undefined,
    errorCount: 0,
    lastError: undefined,
    hitRate: 0,
    staleServeRatio: 0,
    kids: [],
    source: 'none',
    store,
    metrics: createCounters(),
  }
}

function health(
  now: number,
  freshUntil: number | undefined,
  usable: number | undefined,
  failing: boolean,
): ProviderStatus['health'] {
  if (freshUntil === undefined || usable === undefined || now >= usable) return 'unavailable'
  if (failing) return 'failing'
  return now < freshUntil ? 'fresh' : 'stale'
}

function isoTime(time: number | undefined): string | undefined {
  // Immutable keys never expire.
  return time === undefined || time === Number.POSITIVE_INFINITY ? undefined : new Date(time).toISOString()
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

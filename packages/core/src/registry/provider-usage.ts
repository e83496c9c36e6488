import { elapsed, type Instant } from '../base/clock.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { cachedKeys } from '../jwks-cache/cache-state.ts'
import type { Metrics } from '../jwks-cache/metrics.ts'
import { usableFor } from '../jwks-cache/policy.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'

/** What an exporter of metrics reads of a provider that was used. Cheaper than a status: nothing is copied. */
export interface ProviderUsage extends ProviderKey {
  /** What was counted since registration. The same object each time, whose counters grow. */
  readonly metrics: Readonly<Metrics>
  /** Milliseconds since the cached keys were fetched or confirmed; `undefined` where nothing is cached. */
  readonly keyAge: number | undefined
  /**
   * Milliseconds until the cached keys may no longer serve; `Infinity` for keys that never expire. 0 where none may and
   * refreshes fail: requests are refused. `undefined` where none may and none failed: the next request fetches.
   */
  readonly untilUnusable: number | undefined
}

/** Reads the usage of one provider. */
export function providerUsage(cache: ProviderCache, now: Instant): ProviderUsage {
  const { state, metrics } = cache
  const { tenant, provider } = cache.key
  const cached = cachedKeys(state)
  const unusable = state.failure === undefined ? undefined : 0
  if (cached === undefined) return { tenant, provider, metrics, keyAge: undefined, untilUnusable: unusable }
  const keyAge = elapsed(cached.fetchedAt, now)
  const left = usableFor(cached.lifetimes, state.failure) - keyAge
  return { tenant, provider, metrics, keyAge, untilUnusable: left > 0 ? left : unusable }
}

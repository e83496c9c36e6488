import { elapsed, type Instant } from '../base/clock.ts'
import { cachedKeys } from '../jwks-cache/cache-state.ts'
import { usableFor } from '../jwks-cache/policy.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { ProviderUsage } from './provider-usage.ts'

/** Reads the usage of one provider. */
export function readUsage(cache: ProviderCache, now: Instant): ProviderUsage {
  const { state, metrics } = cache
  const { tenant, provider } = cache.key
  const cached = cachedKeys(state)
  const unusable = state.failure === undefined ? undefined : 0
  if (cached === undefined) return { tenant, provider, metrics, keyAge: undefined, untilUnusable: unusable }
  const keyAge = elapsed(cached.fetchedAt, now)
  const left = usableFor(cached.lifetimes, state.failure) - keyAge
  return { tenant, provider, metrics, keyAge, untilUnusable: left > 0 ? left : unusable }
}

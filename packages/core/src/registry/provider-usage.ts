import type { ProviderKey } from '../base/provider-key.ts'
import type { Metrics } from '../jwks-cache/metrics.ts'

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

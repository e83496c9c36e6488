/** What a provider's cache has counted since its registration. */
export interface Counters {
  /** Questions for the key set. */
  requests: number
  /** Those answered from what was held. */
  hits: number
  /** Those that had to wait, or were refused. */
  misses: number
  /** Those answered with keys past their expiry. */
  stale: number
  /** Fetches that ended, well or not. */
  refreshes: number
  /** Those of them that failed. */
  refreshErrors: number
}

/** Counters at zero. */
export function createCounters(): Counters {
  return { requests: 0, hits: 0, misses: 0, stale: 0, refreshes: 0, refreshErrors: 0 }
}

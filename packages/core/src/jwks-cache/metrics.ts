/** What a provider's cache has counted since its registration. */
export interface Metrics {
  /** Requests for keys. */
  requests: number
  /** Requests that cached keys served. */
  hits: number
  /** Requests that had to wait, or were refused. */
  misses: number
  /** Requests served with keys past their expiry. */
  stale: number
  /** Fetches that ended, successfully or not. */
  refreshes: number
  /** Fetches that failed. */
  refreshErrors: number
}

/** Creates metrics at zero. */
export function createMetrics(): Metrics {
  return { requests: 0, hits: 0, misses: 0, stale: 0, refreshes: 0, refreshErrors: 0 }
}

/** How often and how fast a failed attempt is repeated within one refresh. */
export interface RetryPolicy {
  /** Attempts after the first; 0 for none. Default 2. */
  readonly maxRetries: number
  /** Milliseconds for one attempt, from connecting to the last byte of the body. Default 3 000. */
  readonly attemptTimeout: number
  /** Milliseconds of the first pause. Default 250. */
  readonly initialBackoff: number
  /** Milliseconds that no pause exceeds. Default 2 000. */
  readonly maxBackoff: number
  /** Milliseconds for all attempts and pauses together. Default 8 000. */
  readonly deadline: number
  /**
   * How pauses are spread, as AWS's "Exponential Backoff And Jitter" defines the words: `'none'` doubles,
   * `'full'` is random up to that, `'decorrelated'` is random between the first pause and three times the
   * one before. Default `'full'`.
   */
  readonly jitter: 'none' | 'full' | 'decorrelated'
}

/** The options that rule one provider's cache, complete and checked. Durations are milliseconds. */
export interface CacheOptions {
  readonly refreshEarly: number
  readonly prefetchJitter: number
  readonly prefetch: 'active' | 'always' | 'never'
  /** `'immutable'`: keys are added by `kid`, and neither expire nor change. */
  readonly keyLifetime: 'http' | 'immutable'
  readonly staleWhileError: number
  readonly maxStale: number
  readonly minTtl: number
  readonly maxTtl: number
  readonly defaultTtl: number
  readonly negativeCacheTtl: number
  readonly unknownKidCooldown: number
  readonly maxKeys: number
  readonly retryPolicy: RetryPolicy
}

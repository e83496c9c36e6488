import {
  type Complete,
  choice,
  integer,
  memberOptions,
  type OptionTable,
  optional,
  readOptions,
  TEN_YEARS,
} from '../base/options.ts'

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

/** Options of one provider's cache. Durations are milliseconds, whole numbers. */
export interface KeyCacheOptions {
  /**
   * Lead before expiry for the refresh ahead of it; 0 for none. Lead and jitter together never reach past half of
   * the time to live. Default 30 000.
   */
  readonly refreshEarly?: number | undefined
  /** Random offset on that schedule, earlier only, so that a fleet does not fetch all at once; 0 for none. Default 5 000. */
  readonly prefetchJitter?: number | undefined
  /**
   * `'active'` refreshes ahead of expiry only if the keys were used since the last fetch, `'always'` does so
   * always and fetches at registration, `'never'` waits for expiry. Default `'active'`.
   */
  readonly prefetch?: 'active' | 'always' | 'never' | undefined
  /**
   * How long past expiry keys serve while refreshes fail; 0 for not at all. A response's own `stale-if-error`
   * (RFC 5861 §4) can lengthen it up to `maxStale`, for 5xx and network failures only, unless it is 0.
   * Default 3 600 000 (an hour).
   */
  readonly staleWhileError?: number | undefined
  /** Upper bound on stale use, whatever else allows it. Default 86 400 000 (a day). */
  readonly maxStale?: number | undefined
  /** Lower bound on a response's freshness lifetime; at least 1 000. Default 30 000. */
  readonly minTtl?: number | undefined
  /** Upper bound on a response's freshness lifetime; at least `minTtl`. Default 86 400 000 (a day). */
  readonly maxTtl?: number | undefined
  /** Time to live where a response gives no explicit freshness (RFC 9111 §4.2.1). Default 600 000 (ten minutes). */
  readonly defaultTtl?: number | undefined
  /**
   * After a failed first fetch, requests fail immediately for this long instead of fetching again; doubles to 10 s while
   * failures last; 0 fetches each time. Default 1 000.
   */
  readonly negativeCacheTtl?: number | undefined
  /** At most one refetch per this long because of unknown `kid`s; at least 1. Default 10 000. */
  readonly unknownKidCooldown?: number | undefined
  /** Entries of a set; those beyond it are not read. At least 1. Default 1 000; 100 where keys are immutable. */
  readonly maxKeys?: number | undefined
  /** Retries within one refresh; what is not given keeps its default. */
  readonly retryPolicy?: { readonly [Name in keyof RetryPolicy]?: RetryPolicy[Name] | undefined } | undefined
  /**
   * `'http'` caches keys as HTTP caching allows. `'immutable'` is for endpoints whose keys never change and whose calls
   * cost something: keys are added by `kid` and written to the store at once, they neither expire nor change, and the
   * endpoint is called only for a `kid` that is missing. Keys without a `kid` are not kept. Beside it, options about
   * expiry are a `TypeError`; `prefetch: 'always'` fetches at registration where nothing is stored. Default `'http'`.
   */
  readonly keyLifetime?: 'http' | 'immutable' | undefined
}

/** {@link KeyCacheOptions}, complete and checked. */
export interface CacheOptions extends Complete<KeyCacheOptions> {
  readonly retryPolicy: RetryPolicy
}

/** Members of the option `retryPolicy`. */
export const retryOptionTable: OptionTable<RetryPolicy, RetryPolicy> = {
  maxRetries: integer({ min: 0, max: 100 }, 2),
  attemptTimeout: integer({ min: 1, max: TEN_YEARS }, 3_000),
  initialBackoff: integer({ min: 1, max: TEN_YEARS }, 250),
  maxBackoff: integer({ min: 1, max: TEN_YEARS }, 2_000),
  deadline: integer({ min: 1, max: TEN_YEARS }, 8_000),
  jitter: choice(['none', 'full', 'decorrelated'], 'full'),
}

/** The options of one provider's cache. */
export const cacheOptionTable: OptionTable<KeyCacheOptions, CacheOptions> = {
  refreshEarly: integer({ min: 0, max: TEN_YEARS }, 30_000),
  prefetchJitter: integer({ min: 0, max: TEN_YEARS }, 5_000),
  prefetch: choice(['active', 'always', 'never'], 'active'),
  keyLifetime: choice(['http', 'immutable'], 'http'),
  staleWhileError: integer({ min: 0, max: TEN_YEARS }, 3_600_000),
  maxStale: integer({ min: 0, max: TEN_YEARS }, 86_400_000),
  minTtl: integer({ min: 1_000, max: TEN_YEARS }, 30_000),
  maxTtl: integer({ min: 1_000, max: TEN_YEARS }, 86_400_000),
  defaultTtl: integer({ min: 1_000, max: TEN_YEARS }, 600_000),
  negativeCacheTtl: integer({ min: 0, max: TEN_YEARS }, 1_000),
  unknownKidCooldown: integer({ min: 1, max: TEN_YEARS }, 10_000),
  maxKeys: integer({ min: 1 }, 1_000),
  retryPolicy: optional(checkRetryPolicy, readOptions('', {}, retryOptionTable)),
}

function checkRetryPolicy(name: string, value: unknown): RetryPolicy {
  const policy = memberOptions(name, value, retryOptionTable)
  if (policy.initialBackoff <= policy.maxBackoff) return policy
  throw new TypeError(`${name}.initialBackoff must not be greater than maxBackoff`)
}

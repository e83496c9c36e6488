import type { CacheOptions } from '../../packages/core/src/jwks-cache/cache-options.ts'
import type { SimulatedKey } from './published-keys.ts'
import type { Delivery, Exchange } from './upstream.ts'

/** Milliseconds below which a difference of two moments is rounding: today's wall clock resolves 0.00024 ms as a number. */
const ROUNDING = 0.001

/** A moment on both clocks of the machine, in milliseconds. */
export interface Moment {
  readonly wall: number
  readonly monotonic: number
}

/** What a machine can know of the time that has passed: the clock that has seen more of it is right. */
export function passed(since: Moment, now: Moment): number {
  return Math.max(now.wall - since.wall, now.monotonic - since.monotonic)
}

/** What must be cached, derived from what the provider has delivered. Durations are milliseconds since the fetch. */
export interface CachedModel {
  readonly keys: readonly SimulatedKey[]
  readonly fetchedAt: Moment
  readonly freshFor: number
  /** Before this, no refresh may start. */
  readonly refreshFrom: number
  readonly staleFor: number
  readonly staleIfErrorFor: number
}

interface FailureModel {
  readonly count: number
  readonly at: Moment
  /** The backoff lasts for at least this long, and at most for that, in milliseconds. */
  readonly pause: { readonly least: number; readonly most: number }
  readonly isOutage: boolean
}

/** The oracle: a second, simpler implementation of the rules. */
export interface Model {
  cached(): CachedModel | undefined
  /** True while the cached keys may serve. */
  isUsable(now: Moment): boolean
  /** True while the backoff certainly forbids a refresh. */
  isForbidden(now: Moment): boolean
  /** True once the backoff is certainly over by the monotonic clock alone; also where there is none. */
  isBackoffOver(now: Moment): boolean
  succeeded(now: Moment, delivery: Delivery): void
  failed(now: Moment, exchange: Extract<Exchange, { kind: 'failed' }>): void
}

/** Creates a model with nothing cached. */
export function createModel(options: CacheOptions): Model {
  let cached: CachedModel | undefined
  let failure: FailureModel | undefined

  function pauseOf(now: Moment, count: number, retryAfter: number): FailureModel['pause'] {
    if (cached === undefined) {
      const negative = Math.min(options.negativeCacheTtl * 2 ** (count - 1), Math.max(options.negativeCacheTtl, 10_000))
      const pause = Math.max(negative, Math.min(retryAfter, 60_000))
      return { least: pause, most: pause }
    }
    const backoff = Math.min(60_000, 1_000 * 2 ** (count - 1))
    const freshFor = cached.freshFor - passed(cached.fetchedAt, now)
    const obeyed = Math.min(retryAfter, Math.max(60_000, Math.min(freshFor, 600_000)))
    // Equal jitter: half of it is certain.
    return { least: Math.max(backoff / 2, obeyed), most: Math.max(backoff, obeyed) }
  }

  return {
    cached: () => cached,
    isUsable(now) {
      if (cached === undefined) return false
      const limit = failure?.isOutage === true ? cached.staleIfErrorFor : cached.staleFor
      return passed(cached.fetchedAt, now) < limit
    },
    isForbidden: (now) => failure !== undefined && passed(failure.at, now) < failure.pause.least - ROUNDING,
    isBackoffOver: (now) => failure === undefined || now.monotonic - failure.at.monotonic >= failure.pause.most,
    succeeded(now, { publication, lifetime, staleIfError }) {
      const ttl = Math.min(Math.max(lifetime ?? options.defaultTtl, options.minTtl), options.maxTtl)
      const lead = options.refreshEarly + options.prefetchJitter
      const window = Math.min(options.staleWhileError, options.maxStale)
      const longWindow = window === 0 ? 0 : Math.min(Math.max(window, staleIfError ?? 0), options.maxStale)
      cached = {
        keys: publication.keys,
        fetchedAt: now,
        freshFor: ttl,
        refreshFrom: options.prefetch === 'never' ? ttl : Math.max(ttl / 2, ttl - lead),
        staleFor: ttl + window,
        staleIfErrorFor: ttl + longWindow,
      }
      failure = undefined
    },
    failed(now, { isOutage, retryAfter }) {
      const count = (failure?.count ?? 0) + 1
      failure = { count, at: now, pause: pauseOf(now, count, retryAfter), isOutage }
    },
  }
}

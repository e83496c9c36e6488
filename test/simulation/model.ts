import type { CacheOptions } from '../../packages/core/src/jwks-cache/cache-options.ts'
import type { SimulatedKey } from './published-keys.ts'
import type { Delivery, Exchange } from './upstream.ts'

/** What the cache must be holding, worked out again from what the provider delivered. */
export interface HeldModel {
  readonly keys: readonly SimulatedKey[]
  readonly freshUntil: number
  /** The earliest moment for a refresh ahead. */
  readonly refreshFrom: number
  readonly staleUntil: number
  readonly staleIfErrorUntil: number
  readonly lifetime: number | undefined
  readonly staleIfError: number | undefined
}

interface FailureModel {
  readonly count: number
  /** No refresh that is due may start before this. */
  readonly forbiddenUntil: number
  readonly isOutage: boolean
}

/** The oracle: a second, plainer account of the rules, kept beside the cache. */
export interface Model {
  held(): HeldModel | undefined
  /** Until when the keys may serve. */
  usableUntil(): number
  /** Before when no refresh that is due may start. */
  forbiddenUntil(): number
  succeeded(now: number, delivery: Delivery): void
  failed(now: number, exchange: Extract<Exchange, { kind: 'failed' }>): void
}

/** Creates an empty model. */
export function createModel(options: CacheOptions): Model {
  let held: HeldModel | undefined
  let failure: FailureModel | undefined

  function least(now: number, count: number, retryAfter: number): number {
    if (held === undefined) {
      const negative = Math.min(options.negativeCacheTtl * 2 ** (count - 1), Math.max(options.negativeCacheTtl, 10_000))
      return Math.max(negative, Math.min(retryAfter, 60_000))
    }
    // Equal jitter: half of it is certain.
    const backoff = Math.min(60_000, 1_000 * 2 ** (count - 1)) / 2
    const obeyed = Math.max(60_000, Math.min(held.freshUntil - now, 600_000))
    return Math.max(backoff, Math.min(retryAfter, obeyed))
  }

  return {
    held: () => held,
    usableUntil() {
      if (held === undefined) return Number.NEGATIVE_INFINITY
      return failure?.isOutage === true ? held.staleIfErrorUntil : held.staleUntil
    },
    forbiddenUntil: () => failure?.forbiddenUntil ?? Number.NEGATIVE_INFINITY,
    succeeded(now, { publication, lifetime, staleIfError }) {
      const ttl = Math.min(Math.max(lifetime ?? options.defaultTtl, options.minTtl), options.maxTtl)
      const freshUntil = now + ttl
      const lead = options.refreshEarly + options.prefetchJitter
      const window = Math.min(options.staleWhileError, options.maxStale)
      const longWindow = window === 0 ? 0 : Math.min(Math.max(window, staleIfError ?? 0), options.maxStale)
      held = {
        keys: publication.keys,
        freshUntil,
        refreshFrom: options.prefetch === 'never' ? freshUntil : Math.max(now + ttl / 2, freshUntil - lead),
        staleUntil: freshUntil + window,
        staleIfErrorUntil: freshUntil + longWindow,
        lifetime,
        staleIfError,
      }
      failure = undefined
    },
    failed(now, { isOutage, retryAfter }) {
      const count = (failure?.count ?? 0) + 1
      failure = { count, forbiddenUntil: now + least(now, count, retryAfter), isOutage }
    },
  }
}

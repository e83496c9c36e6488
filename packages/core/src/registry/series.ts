import { elapsed, type Instant } from '../base/clock.ts'
import type { Tracer } from '../base/events.ts'
import { cachedKeys } from '../jwks-cache/cache-state.ts'
import { usableFor } from '../jwks-cache/policy.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import { internals, internalsOf, type ProviderUsage } from './registry.ts'

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

// `object`: the entry point for adapters has to compile without the types of the whole registry.

/**
 * Reads what was counted of every provider that was used; idle ones are left out. For exporters of metrics.
 *
 * @throws TypeError for anything that `createRegistry` did not create
 */
export function usageOf(registry: object): readonly ProviderUsage[] {
  return internalsOf(registry)[internals].usage()
}

/**
 * Records the registry's operations, and those of its authenticators, with a tracer. The returned function stops it.
 *
 * @throws TypeError for anything that `createRegistry` did not create, or where another tracer records already
 */
export function instrument(registry: object, tracer: Tracer): () => void {
  const { instrumentation } = internalsOf(registry)[internals]
  if (instrumentation.tracer !== undefined) throw new TypeError('the registry has a tracer already: close it first')
  instrumentation.tracer = tracer
  return () => {
    if (instrumentation.tracer === tracer) instrumentation.tracer = undefined
  }
}

/** The labels that every metric has. */
export interface SeriesLabels {
  /** The tenant's name, `other`, or empty where it is not known. */
  readonly tenant: string
  /** The provider's name, `other`, or empty where it is not known. */
  readonly provider: string
}

/** What is counted under one pair of labels. */
export interface Series {
  /** The pair of labels. */
  readonly labels: SeriesLabels
  /** Totals since the exporter was installed; they never decrease. */
  readonly totals: Record<keyof ProviderUsage['metrics'], number>
  /** Seconds; of several providers the oldest. `undefined` where nothing is cached. */
  keyAge: number | undefined
  /** Seconds; of several providers the least. `undefined` where none is known. */
  untilUnusable: number | undefined
}

/** All series, bounded in number. */
export interface SeriesTable {
  /** The labels for a tenant and provider: their names, or `other` where all places are taken. Both empty: not known. */
  labelsFor(tenant: string, provider: string): SeriesLabels
  /** Brings the series up to date, and returns them. */
  update(usage: Iterable<ProviderUsage>): readonly Series[]
}

/** What a pair is counted under that came too late for labels of its own. */
const OTHER: SeriesLabels = Object.freeze({ tenant: 'other', provider: 'other' })

/** A request whose tenant is not known; Prometheus takes an empty label for an absent one. */
const UNKNOWN: SeriesLabels = Object.freeze({ tenant: '', provider: '' })

const NAMES = ['requests', 'hits', 'misses', 'stale', 'refreshes', 'refreshErrors'] as const

/** Creates the table of an exporter. */
export function createSeriesTable(maxSeries: number): SeriesTable {
  const labels = new Map<string, SeriesLabels>()
  const series = new Map<SeriesLabels, Series>()
  // What was read of a provider the last time. Totals grow by differences, so that they stay when a provider is gone.
  const read = new WeakMap<object, ProviderUsage['metrics']>()

  function labelsFor(tenant: string, provider: string): SeriesLabels {
    if (tenant === '') return UNKNOWN
    // No identifier contains a slash.
    const name = `${tenant}/${provider}`
    const known = labels.get(name)
    if (known !== undefined) return known
    if (labels.size >= maxSeries) return OTHER
    const created = Object.freeze({ tenant, provider })
    labels.set(name, created)
    return created
  }

  function seriesFor(tenant: string, provider: string): Series {
    const key = labelsFor(tenant, provider)
    const known = series.get(key)
    if (known !== undefined) return known
    const totals = { requests: 0, hits: 0, misses: 0, stale: 0, refreshes: 0, refreshErrors: 0 }
    const created = { labels: key, totals, keyAge: undefined, untilUnusable: undefined }
    series.set(key, created)
    return created
  }

  return {
    labelsFor,
    update(usage) {
      for (const item of series.values()) {
        item.keyAge = undefined
        item.untilUnusable = undefined
      }
      for (const { tenant, provider, metrics, keyAge, untilUnusable } of usage) {
        const item = seriesFor(tenant, provider)
        const before = read.get(metrics)
        for (const name of NAMES) item.totals[name] += metrics[name] - (before?.[name] ?? 0)
        read.set(metrics, { ...metrics })
        if (keyAge !== undefined) item.keyAge = Math.max(item.keyAge ?? 0, keyAge / 1000)
        if (untilUnusable === undefined) continue
        item.untilUnusable = Math.min(item.untilUnusable ?? Number.POSITIVE_INFINITY, untilUnusable / 1000)
      }
      return [...series.values()]
    },
  }
}

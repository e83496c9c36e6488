import type { Registry } from '@jwks-auth/core'
import { createSeriesTable, type Series, type SeriesLabels, usageOf } from '@jwks-auth/core/adapter'
import type { Attributes, Meter } from '@opentelemetry/api'

/** Seconds. A key set takes 20 to 500 ms; an attempt ends after 3 s and all of them after 8 s by default. */
const DURATION_BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 10]

/** Records the metrics of a registry; the returned function stops it. Counters are read when metrics are collected. */
export function recordMetrics(registry: Registry, meter: Meter, maxSeries: number): () => void {
  const table = createSeriesTable(maxSeries)
  const counter = (name: string, description: string, value: keyof Series['totals'], unit = '{request}') => ({
    value,
    instrument: meter.createObservableCounter(name, { description, unit }),
  })
  const counters = [
    counter('jwks.cache.requests', 'Requests for keys', 'requests'),
    counter('jwks.cache.hits', 'Requests that cached keys served', 'hits'),
    counter('jwks.cache.misses', 'Requests that had to wait for a fetch, or were refused', 'misses'),
    counter('jwks.cache.stale', 'Requests served with keys past their expiry', 'stale'),
    counter('jwks.cache.refresh', 'Refreshes that ended, successfully or not', 'refreshes', '{refresh}'),
    counter('jwks.cache.refresh_errors', 'Refreshes that failed', 'refreshErrors', '{refresh}'),
  ]
  const keyAge = meter.createObservableGauge('jwks.cache.key_age', {
    description: 'Time since the cached keys were fetched or confirmed',
    unit: 's',
  })
  const untilUnusable = meter.createObservableGauge('jwks.cache.time_until_unusable', {
    description: 'Time until the cached keys may no longer serve; 0 while requests are refused',
    unit: 's',
  })
  const durations = meter.createHistogram('jwks.cache.refresh_duration', {
    description: 'How long refreshes took, retries included',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  })
  const rejections = meter.createCounter('jwks.auth.rejections', {
    description: 'Requests that were refused, by the code of the error',
    unit: '{request}',
  })

  const observables = [...counters.map(({ instrument }) => instrument), keyAge, untilUnusable]
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    for (const series of table.update(usageOf(registry))) {
      const attributes = attributesOf(series.labels)
      for (const { instrument, value } of counters) result.observe(instrument, series.totals[value], attributes)
      if (series.keyAge !== undefined) result.observe(keyAge, series.keyAge, attributes)
      // Keys that never expire have no such time.
      if (Number.isFinite(series.untilUnusable ?? Number.NaN)) {
        result.observe(untilUnusable, series.untilUnusable ?? 0, attributes)
      }
    }
  }
  meter.addBatchObservableCallback(observe, observables)
  const ended = ({ tenant, provider, duration }: { tenant: string; provider: string; duration: number }): void =>
    durations.record(duration / 1000, attributesOf(table.labelsFor(tenant, provider)))
  const removeListeners = [
    registry.on('refresh', ended),
    registry.on('refresh-failed', ended),
    registry.on('refused', ({ tenant = '', provider = '', code }) => {
      rejections.add(1, { ...attributesOf(table.labelsFor(tenant, provider)), 'error.type': code })
    }),
  ]
  return () => {
    meter.removeBatchObservableCallback(observe, observables)
    for (const remove of removeListeners) remove()
  }
}

function attributesOf({ tenant, provider }: SeriesLabels): Attributes {
  return {
    ...(tenant !== '' && { 'jwks.tenant': tenant }),
    ...(provider !== '' && { 'jwks.provider': provider }),
  }
}

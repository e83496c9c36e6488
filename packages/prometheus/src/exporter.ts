import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Registry } from '@jwks-auth/core'
import { createSeriesTable, type Series, usageOf } from '@jwks-auth/core/adapter'
import { Counter, Gauge, Histogram, type Registry as PrometheusRegistry } from 'prom-client'
import { checkExporterOptions, type ExporterOptions } from './exporter-options.ts'
import { type MetricName, metricNames } from './metric-names.ts'

/** The metrics of one registry in prom-client. */
export interface Exporter {
  /** The text that Prometheus scrapes: everything in prom-client's registry, the application's own metrics included. */
  metrics(): Promise<string>
  /** The `Content-Type` of that text. */
  readonly contentType: string
  /** Responds to `GET /metrics`: a listener for Node's server, usable as an Express handler. */
  handler(request: IncomingMessage, response: ServerResponse): void
  /** Removes the metrics, and stops listening to the registry. */
  close(): void
}

/** Seconds. A key set takes 20 to 500 ms; an attempt ends after 3 s and all of them after 8 s by default. */
const DURATION_BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 10]

const LABELS = ['tenant', 'provider'] as const

/**
 * Installs the metrics of a registry in prom-client. Counters are read when Prometheus scrapes, so that a request costs
 * nothing; only refused requests and refreshes are counted by events.
 *
 * @throws TypeError that names a wrong option, or a metric that prom-client's registry has already: a second exporter needs
 *   a `register` of its own
 */
export function installDefaultExporter(registry: Registry, options: ExporterOptions = {}): Exporter {
  const { register, maxSeries } = checkExporterOptions(options)
  const taken = metricNames.find((name) => register.getSingleMetric(name) !== undefined)
  if (taken !== undefined) {
    throw new TypeError(`register has a metric ${taken} already; pass another one, or close the first exporter`)
  }
  const table = createSeriesTable(maxSeries)
  let current: readonly Series[] | undefined

  /** One reading for all metrics of a scrape, which prom-client collects in one go. */
  function series(): readonly Series[] {
    if (current === undefined) {
      current = table.update(usageOf(registry))
      queueMicrotask(() => {
        current = undefined
      })
    }
    return current
  }

  const counter = (name: MetricName, help: string, value: keyof Series['totals']) =>
    new Counter({
      name,
      help,
      labelNames: LABELS,
      registers: [register],
      collect() {
        this.reset()
        for (const { labels, totals } of series()) this.inc({ ...labels }, totals[value])
      },
    })

  const gauge = (name: MetricName, help: string, value: 'keyAge' | 'untilUnusable') =>
    new Gauge({
      name,
      help,
      labelNames: LABELS,
      registers: [register],
      collect() {
        this.reset()
        for (const item of series()) {
          const seconds = item[value]
          if (seconds !== undefined) this.set({ ...item.labels }, seconds)
        }
      },
    })

  // Checked before anything is installed: throws for what is no registry.
  series()
  counter('jwks_cache_requests_total', 'Requests for keys', 'requests')
  counter('jwks_cache_hits_total', 'Requests that cached keys served', 'hits')
  counter('jwks_cache_misses_total', 'Requests that had to wait for a fetch, or were refused', 'misses')
  counter('jwks_cache_stale_total', 'Requests served with keys past their expiry', 'stale')
  counter('jwks_cache_refresh_total', 'Refreshes that ended, successfully or not', 'refreshes')
  counter('jwks_cache_refresh_errors_total', 'Refreshes that failed', 'refreshErrors')
  gauge('jwks_cache_key_age_seconds', 'Seconds since the cached keys were fetched or confirmed', 'keyAge')
  gauge(
    'jwks_cache_seconds_until_unusable',
    'Seconds until the cached keys may no longer serve; 0 while requests are refused',
    'untilUnusable',
  )
  const durations = new Histogram({
    name: 'jwks_cache_refresh_duration_seconds',
    help: 'How long refreshes took, retries included',
    labelNames: LABELS,
    buckets: DURATION_BUCKETS,
    registers: [register],
  })
  const rejections = new Counter({
    name: 'jwks_auth_rejections_total',
    help: 'Requests that were refused, by the code of the error',
    labelNames: [...LABELS, 'code'],
    registers: [register],
  })
  const observe = ({ tenant, provider, duration }: { tenant: string; provider: string; duration: number }): void =>
    durations.observe({ ...table.labelsFor(tenant, provider) }, duration / 1000)
  const removeListeners = [
    registry.on('refresh', observe),
    registry.on('refresh-failed', observe),
    registry.on('refused', ({ tenant = '', provider = '', code }) => {
      rejections.inc({ ...table.labelsFor(tenant, provider), code })
    }),
  ]

  return {
    metrics: () => register.metrics(),
    contentType: register.contentType,
    handler: (request, response) => respond(register, request, response),
    close() {
      for (const remove of removeListeners) remove()
      for (const name of metricNames) register.removeSingleMetric(name)
    },
  }
}

function respond(register: PrometheusRegistry, { method }: IncomingMessage, response: ServerResponse): void {
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end()
    return
  }
  register.metrics().then(
    (text) => response.writeHead(200, { 'content-type': register.contentType }).end(method === 'HEAD' ? '' : text),
    // A metric of the application that cannot be collected. What went wrong is no business of whoever scrapes.
    () => response.writeHead(500).end(),
  )
}

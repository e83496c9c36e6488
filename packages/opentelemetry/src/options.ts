import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api'

/** Options of `installOpenTelemetry`. */
export interface OpenTelemetryOptions {
  /** Records the spans. Default: the provider that the application's SDK has registered; without an SDK nothing is recorded. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Records the metrics. Default: the registered provider. It must be registered before; tracer providers need not. */
  readonly meterProvider?: MeterProvider | undefined
  /**
   * How many pairs of tenant and provider get attributes of their own in metrics, first come, first served; the others are
   * counted together under `other`. From 1 to 100 000; default 200. Spans always have their own.
   */
  readonly maxSeries?: number | undefined
}

/** The options after all checks. */
export interface CheckedOpenTelemetryOptions {
  /** Records the spans. */
  readonly tracerProvider: TracerProvider
  /** Records the metrics. */
  readonly meterProvider: MeterProvider
  /** How many pairs have attributes of their own. */
  readonly maxSeries: number
}

const KNOWN = ['tracerProvider', 'meterProvider', 'maxSeries']
const DEFAULT_MAX_SERIES = 200
const LARGEST_MAX_SERIES = 100_000

/**
 * Checks the options once.
 *
 * @throws TypeError that names a wrong option
 */
export function checkOptions(options: unknown): CheckedOpenTelemetryOptions {
  if (!isObject(options)) throw new TypeError('options must be an object')
  const unknown = Object.keys(options).find((name) => options[name] !== undefined && !KNOWN.includes(name))
  if (unknown !== undefined) {
    throw new TypeError(`options has no option ${JSON.stringify(unknown)}; it takes ${KNOWN.join(', ')}`)
  }
  const {
    tracerProvider = trace.getTracerProvider(),
    meterProvider = metrics.getMeterProvider(),
    maxSeries = DEFAULT_MAX_SERIES,
  } = options
  if (!isTracerProvider(tracerProvider)) throw new TypeError('tracerProvider must have a method getTracer')
  if (!isMeterProvider(meterProvider)) throw new TypeError('meterProvider must have a method getMeter')
  if (
    typeof maxSeries !== 'number' ||
    !Number.isInteger(maxSeries) ||
    maxSeries < 1 ||
    maxSeries > LARGEST_MAX_SERIES
  ) {
    throw new TypeError(`maxSeries must be a whole number from 1 to ${LARGEST_MAX_SERIES}`)
  }
  return { tracerProvider, meterProvider, maxSeries }
}

function isTracerProvider(value: unknown): value is TracerProvider {
  return isObject(value) && typeof value['getTracer'] === 'function'
}

function isMeterProvider(value: unknown): value is MeterProvider {
  return isObject(value) && typeof value['getMeter'] === 'function'
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

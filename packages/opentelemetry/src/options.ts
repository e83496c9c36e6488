import {
  type Check,
  type Complete,
  integer,
  isObject,
  type OptionTable,
  optional,
  packageOptions,
} from '@jwks-auth/core/adapter'
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
export type CheckedOpenTelemetryOptions = Complete<OpenTelemetryOptions>

const table = {
  tracerProvider: optional(withMethod<TracerProvider>('getTracer')),
  meterProvider: optional(withMethod<MeterProvider>('getMeter')),
  maxSeries: integer({ min: 1, max: 100_000 }, 200),
} satisfies OptionTable<OpenTelemetryOptions>

/**
 * Checks the options once.
 *
 * @throws TypeError that names a wrong option
 */
export function checkOptions(options: unknown): CheckedOpenTelemetryOptions {
  const checked = packageOptions(options, table)
  const { tracerProvider = trace.getTracerProvider(), meterProvider = metrics.getMeterProvider() } = checked
  return { ...checked, tracerProvider, meterProvider }
}

function withMethod<Provider>(method: string): Check<Provider> {
  return (name, value) => {
    if (isObject(value) && typeof value[method] === 'function') return value as Provider
    throw new TypeError(`${name} must have a method ${method}`)
  }
}

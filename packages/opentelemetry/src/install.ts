import type { Registry } from '@jwks-auth/core'
import { instrument } from '@jwks-auth/core/adapter'
import { recordMetrics } from './metrics.ts'
import { checkOptions, type OpenTelemetryOptions } from './options.ts'
import { createTracer } from './tracer.ts'

/** What records one registry. */
export interface OpenTelemetryInstallation {
  /** Stops recording. */
  close(): void
}

/** The instrumentation scope of spans and metrics. */
const SCOPE = '@jwks-auth/opentelemetry'

/**
 * Records a registry, and the authenticators that use it, with OpenTelemetry. Without an SDK nothing is recorded.
 *
 * @throws TypeError that names a wrong option, or where the registry is recorded already
 */
export function installOpenTelemetry(
  registry: Registry,
  options: OpenTelemetryOptions = {},
): OpenTelemetryInstallation {
  const { tracerProvider, meterProvider, maxSeries } = checkOptions(options)
  const stopTracing = instrument(registry, createTracer(tracerProvider.getTracer(SCOPE)))
  const stopMetrics = recordMetrics(registry, meterProvider.getMeter(SCOPE), maxSeries)
  return {
    close() {
      stopTracing()
      stopMetrics()
    },
  }
}

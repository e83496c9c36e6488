import { type Complete, integer, isObject, type OptionTable, optional, packageOptions } from '@jwks-auth/core/adapter'
import { register as defaultRegister, type Registry as PrometheusRegistry } from 'prom-client'

/** Options of {@link installDefaultExporter}. */
export interface ExporterOptions {
  /**
   * prom-client's registry that gets the metrics. Default: its global `register`, which an application that uses prom-client
   * exposes already. `new Registry()` keeps them apart.
   */
  readonly register?: PrometheusRegistry | undefined
  /**
   * How many pairs of tenant and provider get label values of their own, first come, first served; the others are counted
   * together under `other`. From 1 to 100 000; default 200. A pair has about 25 series.
   */
  readonly maxSeries?: number | undefined
}

/** The options after all checks. */
export type CheckedExporterOptions = Complete<ExporterOptions>

const table = {
  register: optional(checkRegister, defaultRegister),
  maxSeries: integer({ min: 1, max: 100_000 }, 200),
} satisfies OptionTable<ExporterOptions>

/**
 * Checks the options once.
 *
 * @throws TypeError that names a wrong option
 */
export function checkExporterOptions(options: unknown): CheckedExporterOptions {
  return packageOptions(options, table)
}

/** By its methods: an application may have another copy of prom-client. */
function checkRegister(name: string, value: unknown): PrometheusRegistry {
  const methods = ['registerMetric', 'getSingleMetric', 'removeSingleMetric', 'metrics']
  if (isObject(value) && methods.every((method) => typeof value[method] === 'function')) {
    return value as unknown as PrometheusRegistry
  }
  throw new TypeError(`${name} must be a registry of prom-client`)
}

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
export interface CheckedExporterOptions {
  /** Where the metrics go. */
  readonly register: PrometheusRegistry
  /** How many pairs have label values of their own. */
  readonly maxSeries: number
}

const KNOWN = ['register', 'maxSeries']
const DEFAULT_MAX_SERIES = 200
const LARGEST_MAX_SERIES = 100_000

/**
 * Checks the options once.
 *
 * @throws TypeError that names a wrong option
 */
export function checkExporterOptions(options: unknown): CheckedExporterOptions {
  if (!isObject(options)) throw new TypeError('options must be an object')
  const unknown = Object.keys(options).find((name) => options[name] !== undefined && !KNOWN.includes(name))
  if (unknown !== undefined) {
    throw new TypeError(`options has no option ${JSON.stringify(unknown)}; it takes ${KNOWN.join(', ')}`)
  }
  const { register = defaultRegister, maxSeries = DEFAULT_MAX_SERIES } = options
  if (!isPrometheusRegistry(register)) throw new TypeError('register must be a registry of prom-client')
  if (
    typeof maxSeries !== 'number' ||
    !Number.isInteger(maxSeries) ||
    maxSeries < 1 ||
    maxSeries > LARGEST_MAX_SERIES
  ) {
    throw new TypeError(`maxSeries must be a whole number from 1 to ${LARGEST_MAX_SERIES}`)
  }
  return { register, maxSeries }
}

/** By its methods: an application may have another copy of prom-client. */
function isPrometheusRegistry(value: unknown): value is PrometheusRegistry {
  const methods = ['registerMetric', 'getSingleMetric', 'removeSingleMetric', 'metrics']
  return isObject(value) && methods.every((method) => typeof value[method] === 'function')
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

export { type Exporter, installDefaultExporter } from './exporter.ts'
export type { ExporterOptions } from './exporter-options.ts'
export { type MetricName, metricNames } from './metric-names.ts'

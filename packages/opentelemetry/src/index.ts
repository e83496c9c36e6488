export { installOpenTelemetry, type OpenTelemetryInstallation } from './install.ts'
export type { OpenTelemetryOptions } from './options.ts'

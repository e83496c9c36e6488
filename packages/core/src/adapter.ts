// What only adapters and exporters need: applications import `@jwks-auth/core` or an adapter.
export {
  authOf,
  checkGuard,
  type Guard,
  type GuardRefusal,
  recordAuthentication,
  refuseWithoutAuthenticator,
  scopeGuard,
} from './auth/guards.ts'
export { frameworkError } from './auth/refusal.ts'
export { type FrameworkRequest, frameworkRequest } from './base/framework-request.ts'
export type { Operation, OperationName, OperationOutcome, Tracer } from './base/instrumentation.ts'
export { isResponseOver, type NodeResponse } from './base/node-response.ts'
export { isThenable } from './base/thenable.ts'
export { instrument, usageOf } from './registry/observe.ts'
export type { ProviderUsage } from './registry/provider-usage.ts'
export { createSeriesTable, type Series, type SeriesLabels, type SeriesTable } from './registry/series.ts'

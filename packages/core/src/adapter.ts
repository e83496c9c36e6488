/**
 * What only other packages of this repository need: applications import `@jwks-auth/core` or an adapter.
 *
 * @packageDocumentation
 */
export {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  claimsGuard,
  type Guard,
  guardsAmong,
  markGuard,
  scopeGuard,
} from './auth/guards.ts'
export { createProtectedResource, type MetadataResponse, type ProtectedResource } from './auth/protected-resource.ts'
export {
  authOf,
  checkGuard,
  type GuardRefusal,
  recordAuthentication,
  refuseWithoutAuthenticator,
} from './auth/recorded-authentication.ts'
export { frameworkError } from './auth/refusal.ts'
export { type FrameworkRequest, frameworkRequest, toAuthRequest } from './base/auth-request.ts'
export type { Operation, OperationName, OperationOutcome, Tracer } from './base/instrumentation.ts'
export { isResponseOver, type NodeResponse } from './base/node-response.ts'
export {
  type AnyTable,
  boolean,
  type Check,
  type CheckedOptions,
  type Complete,
  choice,
  integer,
  isObject,
  type Option,
  type OptionTable,
  objectOption,
  optional,
  packageOptions,
  readOptions,
} from './base/options.ts'
export { isThenable } from './base/steps.ts'
export { instrument, usageOf } from './registry/observe.ts'
export type { ProviderUsage } from './registry/provider-usage.ts'
export { createSeriesTable, type Series, type SeriesLabels, type SeriesTable } from './registry/series.ts'
export type { StatusHandlerOptions } from './status/status-options.ts'
export { createStatusResponder, type StatusResponder, type StatusResponse } from './status/status-responder.ts'
export { parseSnapshot } from './stores/plain-json.ts'

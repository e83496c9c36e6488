// The declarations use Node's types, also in a project whose `types` is empty, as it is by default since TypeScript 6.
/// <reference types="node" preserve="true" />
/**
 * What only other packages of this repository need: applications import `@jwks-auth/core` or an adapter.
 *
 * @packageDocumentation
 */
export {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  authOf,
  checkGuard,
  claimsGuard,
  type Guard,
  type GuardRefusal,
  guardsAmong,
  markGuard,
  recordAuthentication,
  refuseWithoutAuthenticator,
  scopeGuard,
} from './auth/guards.ts'
export { createProtectedResource, type MetadataResponse, type ProtectedResource } from './auth/protected-resource.ts'
export { frameworkError } from './auth/refusal.ts'
export {
  type FrameworkRequest,
  frameworkRequest,
  isResponseOver,
  type NodeResponse,
  toAuthRequest,
} from './base/auth-request.ts'
export type { Operation, OperationName, OperationOutcome, Tracer } from './base/events.ts'
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
export type { ProviderUsage } from './registry/registry.ts'
export {
  createSeriesTable,
  instrument,
  type Series,
  type SeriesLabels,
  type SeriesTable,
  usageOf,
} from './registry/series.ts'
export type { StatusHandlerOptions } from './status/status-responder.ts'
export { createStatusResponder, type StatusResponder, type StatusResponse } from './status/status-responder.ts'
export { parseSnapshot } from './stores/integrity.ts'

// What only adapters need: applications import `@jwks-auth/core` or an adapter.
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
export { type FrameworkRequest, frameworkRequest } from './base/framework-request.ts'
export { isResponseOver, type NodeResponse } from './base/node-response.ts'
export { isThenable } from './base/thenable.ts'

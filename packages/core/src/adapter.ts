// What only adapters need: applications import `@jwks-auth/core` or an adapter.
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
export { isResponseOver, type NodeResponse } from './base/node-response.ts'
export { isThenable } from './base/thenable.ts'
export type { StatusHandlerOptions } from './status/status-options.ts'
export { createStatusResponder, type StatusResponder, type StatusResponse } from './status/status-responder.ts'

// One import serves an application, and the lists cannot drift.
export * from '@jwks-auth/core'
export {
  type GuardedHandler,
  requireAnyScope,
  requireAuth,
  requireAuthentication,
  requireClaims,
  requireScopes,
} from './guards.ts'
export {
  type FetchHandler,
  getAuth,
  type Protect,
  type ProtectedHandler,
  protect,
  type RequestOutcome,
} from './protect.ts'

// One import serves an application, and the lists cannot drift.
export * from '@jwks-auth/core'
export { requireAnyScope, requireAuth, requireAuthentication, requireClaims, requireScopes } from './guards.ts'
export {
  authenticate,
  authenticateAs,
  getAuth,
  type JwksAuthDecoration,
  type JwksAuthPluginOptions,
  type JwksAuthRegistration,
  jwksAuth,
} from './jwks-auth.ts'
export { type ProtectedResourcePlugin, protectedResource } from './protected-resource.ts'
export { createStatusHandler, type StatusHandlerOptions } from './status-handler.ts'

// One import serves an application, and the lists cannot drift.
export * from '@jwks-auth/core'
export { requireAnyScope, requireAuth, requireAuthentication, requireClaims, requireScopes } from './guards.ts'
export { getAuth, type JwksAuthMiddleware, jwksAuth } from './jwks-auth.ts'
export { type ProtectedResourceMiddleware, protectedResource } from './protected-resource.ts'
export { createStatusHandler, type StatusHandlerOptions } from './status-handler.ts'

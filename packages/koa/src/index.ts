// One import serves an application, and the lists cannot drift.
export * from '@jwks-auth/core'
export { type AuthState, getAuth, type JwksAuthMiddleware, jwksAuth, requireScopes } from './jwks-auth.ts'
export { createStatusHandler, type StatusHandlerOptions } from './status-handler.ts'

// One import serves an application, and the lists cannot drift.
export * from '@jwks-auth/core'
export {
  authenticate,
  authenticateAs,
  getAuth,
  type JwksAuthDecoration,
  type JwksAuthPluginOptions,
  type JwksAuthRegistration,
  jwksAuth,
  requireScopes,
} from './jwks-auth.ts'
export { createStatusHandler, type StatusHandlerOptions } from './status-handler.ts'

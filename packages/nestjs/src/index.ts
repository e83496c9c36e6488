// One import serves an application, and the lists cannot drift.
export * from '@jwks-auth/core'
export { CurrentAuth, type CurrentAuthOptions, getAuth } from './current-auth.ts'
export {
  type HandlerDecorator,
  Public,
  RequireAnyScope,
  RequireAuth,
  RequireAuthentication,
  RequireClaims,
  RequireScopes,
} from './decorators.ts'
export { JwksAuthGuard, type RunningAuth } from './guard.ts'
export {
  type GlobalOption,
  JWKS_AUTHENTICATOR,
  JwksAuthModule,
  type JwksAuthModuleAsyncOptions,
  type JwksAuthModuleOptions,
} from './module.ts'
export { RequestNotAuthenticatedException } from './refuse.ts'
export { createStatusHandler, type StatusHandlerOptions, type StatusMiddleware } from './status-handler.ts'

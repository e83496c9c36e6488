import {
  type AccessTokenClaims,
  type Auth,
  type Authenticator,
  type AuthOutcome,
  type AuthRequest,
  createAuthenticator,
  type JwksAuthOptions,
  type RegisteredClaims,
  type Registry,
} from '@jwks-auth/core'
import { authOf, frameworkRequest, isResponseOver, isThenable, recordAuthentication } from '@jwks-auth/core/adapter'
import type { DefaultState, Middleware, Next, ParameterizedContext } from 'koa'
import { refuse } from './refuse.ts'

/** What {@link jwksAuth} adds to `ctx.state`, unless the option `property` names another property. */
export interface AuthState<Claims = AccessTokenClaims> extends DefaultState {
  /** Who is calling; `undefined` where no token was required and none was sent. */
  auth: Auth<Claims> | undefined
}

type AuthContext<Claims> = ParameterizedContext<AuthState<Claims>>

/** The middleware that {@link jwksAuth} creates. */
export interface JwksAuthMiddleware<Claims = AccessTokenClaims> extends Middleware<AuthState<Claims>> {
  /** Authenticates without Koa. */
  readonly authenticator: Authenticator<Claims>
  /** The registry that caches the keys. */
  readonly registry: Registry
  /** Closes the registry, unless it was given in the options. */
  close(): Promise<void>
}

/**
 * Creates a middleware that verifies bearer tokens and sets `ctx.state.auth`, or the property of `ctx.state` that the
 * option `property` names. A request whose response was sent already, or whose client has gone away, goes no further.
 *
 * @throws TypeError that names a wrong option
 */
export function jwksAuth<Claims = AccessTokenClaims>(options: JwksAuthOptions<Claims>): JwksAuthMiddleware<Claims> {
  const authenticator = createAuthenticator<Claims>(options)
  const { property = 'auth' } = options

  function finish(
    outcome: AuthOutcome<Claims>,
    request: AuthRequest,
    ctx: AuthContext<Claims>,
    next: Next,
  ): Promise<unknown> | undefined {
    if (isResponseOver(ctx.res)) {
      // Koa must not end a response that something else is writing.
      ctx.respond = false
      return undefined
    }
    if (!outcome.ok) return refuse(outcome, authenticator.passErrors, ctx)
    if (outcome.headers !== undefined) ctx.set({ ...outcome.headers })
    recordAuthentication(ctx, authenticator, outcome.auth, request)
    Object.assign(ctx.state, { [property]: outcome.auth })
    return next()
  }

  const middleware: Middleware<AuthState<Claims>> = (ctx, next) => {
    const request = frameworkRequest(ctx, ctx.req)
    const outcome = authenticator.authenticate(request)
    if (isThenable(outcome)) return outcome.then((awaited) => finish(awaited, request, ctx, next))
    return finish(outcome, request, ctx, next)
  }
  const { registry } = authenticator
  return Object.assign(middleware, { authenticator, registry, close: () => authenticator.close() })
}

/**
 * Returns who is calling, in handlers that {@link jwksAuth} protects. The claims have the type that the chain of
 * middlewares gives `ctx.state.auth`, or else that of `Register`.
 *
 * @throws AuthenticatorNotRunError where no `jwksAuth` ran: a mistake in the application
 * @throws RequestNotAuthenticatedError, with the status 401, where `credentialsRequired: false` let a request without a token pass
 */
export function getAuth<Claims = RegisteredClaims>(ctx: {
  readonly state: { readonly auth?: Auth<Claims> | undefined }
}): Auth<Claims> {
  return authOf(ctx)
}

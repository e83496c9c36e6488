import {
  type AccessTokenClaims,
  type Auth,
  type Authenticator,
  type AuthOutcome,
  type AuthRefusal,
  checkGuard,
  createAuthenticator,
  frameworkRequest,
  type Guard,
  type JwksAuthOptions,
  markAuthenticated,
  type Registry,
  scopeGuard,
} from '@jwks-auth/core'
import type { Context, DefaultState, Middleware, Next, ParameterizedContext } from 'koa'

/** What {@link jwksAuth} adds to `ctx.state`. */
export interface AuthState<Claims = AccessTokenClaims> extends DefaultState {
  /** Who is asking; `undefined` where no token was required and none was sent. */
  auth: Auth<Claims> | undefined
}

type AuthContext<Claims> = ParameterizedContext<AuthState<Claims>>

/** The middleware that {@link jwksAuth} makes. */
export interface JwksAuthMiddleware<Claims = AccessTokenClaims> extends Middleware<AuthState<Claims>> {
  /** What it authenticates with. */
  readonly authenticator: Authenticator<Claims>
  /** The registry that holds the keys. */
  readonly registry: Registry
  /** Closes the registry, unless it was given in the options. */
  close(): Promise<void>
}

/**
 * Makes a middleware that verifies bearer tokens and attaches what they say as `ctx.state.auth`.
 *
 * @throws TypeError that names a wrong option
 */
export function jwksAuth<Claims = AccessTokenClaims>(options: JwksAuthOptions<Claims>): JwksAuthMiddleware<Claims> {
  const authenticator = createAuthenticator<Claims>(options)
  function settle(outcome: AuthOutcome<Claims>, ctx: AuthContext<Claims>, next: Next): Promise<unknown> | undefined {
    if (!outcome.ok) return refuse(outcome, authenticator.passErrors, ctx)
    if (outcome.headers !== undefined) ctx.set({ ...outcome.headers })
    markAuthenticated(ctx, authenticator, outcome.auth)
    ctx.state.auth = outcome.auth
    return next()
  }
  const middleware: Middleware<AuthState<Claims>> = (ctx, next) => {
    const outcome = authenticator.authenticate(frameworkRequest(ctx, ctx.req))
    // Koa makes a promise of whatever comes back, so that one more would only cost.
    return outcome instanceof Promise
      ? outcome.then((awaited) => settle(awaited, ctx, next))
      : settle(outcome, ctx, next)
  }
  const { registry } = authenticator
  return Object.assign(middleware, { authenticator, registry, close: () => authenticator.close() })
}

/** Lets requests pass whose token has all of these scopes; answers others with 403. Comes after {@link jwksAuth}. */
export function requireScopes(...scopes: string[]): Middleware {
  return guardMiddleware(scopeGuard(scopes))
}

function guardMiddleware(guard: Guard): Middleware {
  return (ctx, next) => {
    const refusal = checkGuard(ctx, guard)
    return refusal === undefined ? next() : refuse(refusal, refusal.passErrors, ctx)
  }
}

function refuse(
  { error, response }: AuthRefusal,
  passErrors: boolean,
  ctx: Pick<Context, 'status' | 'set' | 'body'>,
): undefined {
  if (passErrors) throw error
  ctx.status = response.status
  ctx.set({ ...response.headers })
  ctx.body = response.body
  return undefined
}

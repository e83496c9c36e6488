import {
  type AccessTokenClaims,
  type Auth,
  type Authenticator,
  type AuthRefusal,
  checkGuard,
  createAuthenticator,
  type Guard,
  type JwksAuthOptions,
  markAuthenticated,
  nodeHeaders,
  type Registry,
  scopeGuard,
} from '@jwks-auth/core'
import type { Context, DefaultState, Middleware } from 'koa'

/** What {@link jwksAuth} adds to `ctx.state`. */
export interface AuthState<Claims = AccessTokenClaims> extends DefaultState {
  /** Who is asking; `undefined` where no token was required and none was sent. */
  auth: Auth<Claims> | undefined
}

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
  const middleware: Middleware<AuthState<Claims>> = async (ctx, next) => {
    const { method, originalUrl: url, hostname } = ctx
    const outcome = await authenticator.authenticate({ method, url, hostname, headers: nodeHeaders(ctx.req), raw: ctx })
    if (!outcome.ok) {
      refuse(outcome, authenticator.passErrors, ctx)
      return
    }
    if (outcome.headers !== undefined) ctx.set({ ...outcome.headers })
    markAuthenticated(ctx, authenticator, outcome.auth)
    ctx.state.auth = outcome.auth
    await next()
  }
  const { registry } = authenticator
  return Object.assign(middleware, { authenticator, registry, close: () => authenticator.close() })
}

/** Lets requests pass whose token has all of these scopes; answers others with 403. Comes after {@link jwksAuth}. */
export function requireScopes(...scopes: string[]): Middleware {
  return guardMiddleware(scopeGuard(scopes))
}

function guardMiddleware(guard: Guard): Middleware {
  return async (ctx, next) => {
    const refusal = checkGuard(ctx, guard)
    if (refusal === undefined) await next()
    else refuse(refusal, refusal.passErrors, ctx)
  }
}

function refuse(
  { error, response }: AuthRefusal,
  passErrors: boolean,
  ctx: Pick<Context, 'status' | 'set' | 'body'>,
): void {
  if (passErrors) throw error
  ctx.status = response.status
  ctx.set({ ...response.headers })
  ctx.body = response.body
}

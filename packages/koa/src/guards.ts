import type { RegisteredClaims, RequiredAuthentication, RequiredClaims } from '@jwks-auth/core'
import {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  checkGuard,
  claimsGuard,
  type Guard,
  guardsAmong,
  markGuard,
  scopeGuard,
} from '@jwks-auth/core/adapter'
import type { Context, Middleware } from 'koa'
import { refuse } from './refuse.ts'

/** Lets requests pass whose token has all of these scopes; refuses others with 403. Comes after {@link jwksAuth}. */
export function requireScopes(...scopes: string[]): Middleware {
  return guardMiddleware(scopeGuard(scopes))
}

/** Lets requests pass whose token has at least one of these scopes; refuses others with 403. Comes after {@link jwksAuth}. */
export function requireAnyScope(...scopes: string[]): Middleware {
  return guardMiddleware(anyScopeGuard(scopes))
}

/**
 * Lets requests pass whose claims have exactly these values, or for whose claims the function returns `true`; refuses
 * others with 403. Comes after {@link jwksAuth}.
 */
export function requireClaims<Claims = RegisteredClaims>(required: RequiredClaims<Claims>): Middleware {
  return guardMiddleware(claimsGuard(required))
}

/** Lets requests with a token pass; refuses others with 401. For routes behind `credentialsRequired: false`. */
export function requireAuth(): Middleware {
  return guardMiddleware(authGuard())
}

/**
 * Lets requests pass whose user has authenticated strongly (`acrValues`) and recently (`maxAge`) enough; refuses others
 * with 401 and what is required (RFC 9470). Comes after {@link jwksAuth}.
 */
export function requireAuthentication(required: RequiredAuthentication): Middleware {
  return guardMiddleware(authenticationGuard(required))
}

function guardMiddleware(guard: Guard): Middleware {
  const middleware: Middleware = async (ctx, next) => {
    const refusal = checkGuard(ctx, guard, () => guardsOfRoute(ctx, middleware))
    if (refusal !== undefined) return refuse(refusal, refusal.passErrors, ctx)
    return (await next()) as unknown
  }
  return markGuard(middleware, guard)
}

/** What `@koa/router` leaves on a context: the layers that match the path. */
interface RoutedContext extends Pick<Context, 'method' | 'app'> {
  readonly matched?: readonly { readonly methods: readonly string[]; readonly stack: readonly unknown[] }[]
}

/** The guards of the route of `@koa/router`, or those that follow this one in the application. */
function guardsOfRoute({ matched = [], method, app }: RoutedContext, middleware: Middleware): readonly Guard[] {
  const layers = matched.filter(({ methods }) => methods.length === 0 || methods.includes(method))
  const handlers = layers.flatMap(({ stack }) => stack)
  if (handlers.includes(middleware)) return guardsAmong(handlers)
  const following: readonly unknown[] = app.middleware.slice(app.middleware.indexOf(middleware))
  const end = following.findIndex((handler) => guardsAmong([handler]).length === 0)
  return app.middleware.includes(middleware) ? guardsAmong(following.slice(0, end === -1 ? undefined : end)) : []
}

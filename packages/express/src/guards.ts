import type { RegisteredClaims, RequiredAuthentication, RequiredClaims } from '@jwks-auth/core'
import {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  checkGuard,
  claimsGuard,
  type Guard,
  type GuardRefusal,
  guardsAmong,
  isResponseOver,
  markGuard,
  scopeGuard,
} from '@jwks-auth/core/adapter'
import type { Request, RequestHandler } from 'express'
import { refuse } from './refuse.ts'

/** Lets requests pass whose token has all of these scopes; refuses others with 403. Comes after {@link jwksAuth}. */
export function requireScopes(...scopes: string[]): RequestHandler {
  return guardHandler(scopeGuard(scopes))
}

/** Lets requests pass whose token has at least one of these scopes; refuses others with 403. Comes after {@link jwksAuth}. */
export function requireAnyScope(...scopes: string[]): RequestHandler {
  return guardHandler(anyScopeGuard(scopes))
}

/**
 * Lets requests pass whose claims have exactly these values, or for whose claims the function returns `true`; refuses
 * others with 403. Comes after {@link jwksAuth}.
 */
export function requireClaims<Claims = RegisteredClaims>(required: RequiredClaims<Claims>): RequestHandler {
  return guardHandler(claimsGuard(required))
}

/** Lets requests with a token pass; refuses others with 401. For routes behind `credentialsRequired: false`. */
export function requireAuth(): RequestHandler {
  return guardHandler(authGuard())
}

/**
 * Lets requests pass whose user has authenticated strongly (`acrValues`) and recently (`maxAge`) enough; refuses others
 * with 401 and what is required (RFC 9470). Comes after {@link jwksAuth}.
 */
export function requireAuthentication(required: RequiredAuthentication): RequestHandler {
  return guardHandler(authenticationGuard(required))
}

function guardHandler(guard: Guard): RequestHandler {
  const handler: RequestHandler = (req, res, next) => {
    let refusal: GuardRefusal | undefined
    try {
      refusal = checkGuard(req, guard, () => guardsOfRoute(req, handler))
    } catch (error) {
      next(error)
      return
    }
    if (refusal === undefined) next()
    else if (!isResponseOver(res)) refuse(refusal, refusal.passErrors, res, next)
  }
  return markGuard(handler, guard)
}

/** What is read of a request in a route of Express. */
interface RoutedRequest extends Pick<Request, 'method'> {
  readonly route?: { readonly stack: readonly { readonly handle: unknown; readonly method?: string }[] }
}

/** The guards of the route that this handler belongs to. Outside of a route, `req.route` is an earlier one. */
function guardsOfRoute({ route, method }: RoutedRequest, handler: RequestHandler): readonly Guard[] {
  const stack = route?.stack ?? []
  const methods: readonly unknown[] = [undefined, method.toLowerCase(), ...(method === 'HEAD' ? ['get'] : [])]
  const handlers = stack.filter((layer) => methods.includes(layer.method)).map(({ handle }) => handle)
  return handlers.includes(handler) ? guardsAmong(handlers) : []
}

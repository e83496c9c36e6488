import type { RegisteredClaims, RequiredAuthentication, RequiredClaims } from '@jwks-auth/core'
import {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  checkGuard,
  claimsGuard,
  type Guard,
  scopeGuard,
} from '@jwks-auth/core/adapter'
import type { FetchHandler, ProtectedHandler } from './protect.ts'
import { refuse } from './refuse.ts'

/** What a guard is: a function that wraps a handler, within what `protect` has created. */
export type GuardedHandler = <Incoming extends Request, Rest extends unknown[]>(
  handler: FetchHandler<Incoming, Rest>,
) => ProtectedHandler<Incoming, Rest>

/** Lets requests pass whose token has all of these scopes; refuses others with 403. Goes inside of `protect`. */
export function requireScopes(...scopes: string[]): GuardedHandler {
  return guardHandler(scopeGuard(scopes))
}

/** Lets requests pass whose token has at least one of these scopes; refuses others with 403. Goes inside of `protect`. */
export function requireAnyScope(...scopes: string[]): GuardedHandler {
  return guardHandler(anyScopeGuard(scopes))
}

/**
 * Lets requests pass whose claims have exactly these values, or for whose claims the function returns `true`; refuses
 * others with 403. Goes inside of `protect`.
 */
export function requireClaims<Claims = RegisteredClaims>(required: RequiredClaims<Claims>): GuardedHandler {
  return guardHandler(claimsGuard(required))
}

/** Lets requests with a token pass; refuses others with 401. For handlers behind `credentialsRequired: false`. */
export function requireAuth(): GuardedHandler {
  return guardHandler(authGuard())
}

/**
 * Lets requests pass whose user has authenticated strongly (`acrValues`) and recently (`maxAge`) enough; refuses others
 * with 401 and what is required (RFC 9470). Goes inside of `protect`.
 */
export function requireAuthentication(required: RequiredAuthentication): GuardedHandler {
  return guardHandler(authenticationGuard(required))
}

/** The guards around a handler, the outermost first, so that one challenge names the scopes of all. */
const guardsAround: unique symbol = Symbol('@jwks-auth/fetch: guards')

interface Guarded {
  readonly [guardsAround]?: readonly Guard[]
}

function guardHandler(guard: Guard): GuardedHandler {
  return (handler) => {
    const guards = [guard, ...guardsOf(handler)]
    const guarded = async (...[request, ...rest]: Parameters<typeof handler>): Promise<Response> => {
      const refusal = checkGuard(request, guard, () => guards)
      return refusal === undefined ? await handler(request, ...rest) : refuse(refusal, refusal.passErrors)
    }
    return Object.assign(guarded, { [guardsAround]: guards })
  }
}

function guardsOf(handler: object): readonly Guard[] {
  const { [guardsAround]: guards }: Guarded = handler
  return guards ?? []
}

import type { RegisteredClaims, RequiredAuthentication, RequiredClaims } from '@jwks-auth/core'
import {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  checkGuard,
  claimsGuard,
  type Guard,
  type GuardRefusal,
  markGuard,
  scopeGuard,
} from '@jwks-auth/core/adapter'
import type { preHandlerHookHandler } from 'fastify'
import { refuse } from './refuse.ts'
import { guardsOfRoute } from './route-guards.ts'

/** Lets requests pass whose token has all of these scopes; refuses others with 403. Comes after {@link jwksAuth}. */
export function requireScopes(...scopes: string[]): preHandlerHookHandler {
  return guardHook(scopeGuard(scopes))
}

/** Lets requests pass whose token has at least one of these scopes; refuses others with 403. Comes after {@link jwksAuth}. */
export function requireAnyScope(...scopes: string[]): preHandlerHookHandler {
  return guardHook(anyScopeGuard(scopes))
}

/**
 * Lets requests pass whose claims have exactly these values, or for whose claims the function returns `true`; refuses
 * others with 403. Comes after {@link jwksAuth}.
 */
export function requireClaims<Claims = RegisteredClaims>(required: RequiredClaims<Claims>): preHandlerHookHandler {
  return guardHook(claimsGuard(required))
}

/** Lets requests with a token pass; refuses others with 401. For routes behind `credentialsRequired: false`. */
export function requireAuth(): preHandlerHookHandler {
  return guardHook(authGuard())
}

/**
 * Lets requests pass whose user has authenticated strongly (`acrValues`) and recently (`maxAge`) enough; refuses others
 * with 401 and what is required (RFC 9470). Comes after {@link jwksAuth}.
 */
export function requireAuthentication(required: RequiredAuthentication): preHandlerHookHandler {
  return guardHook(authenticationGuard(required))
}

function guardHook(guard: Guard): preHandlerHookHandler {
  const hook: preHandlerHookHandler = (request, reply, done) => {
    let refusal: GuardRefusal | undefined
    try {
      refusal = checkGuard(request, guard, () => guardsOfRoute(request))
    } catch (error) {
      // What a guard throws is an error.
      done(error as Error)
      return
    }
    if (refusal === undefined) done()
    else refuse(refusal, refusal.passErrors, reply, done)
  }
  return markGuard(hook, guard)
}

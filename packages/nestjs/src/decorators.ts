import type { RegisteredClaims, RequiredAuthentication, RequiredClaims } from '@jwks-auth/core'
import {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  claimsGuard,
  type Guard,
  scopeGuard,
} from '@jwks-auth/core/adapter'
import { UseGuards } from '@nestjs/common'
import { addRequirement, allowEverybody } from './access.ts'
import { JwksAuthGuard } from './guard.ts'

/** Decorates a handler, or a class and so all its handlers. */
export type HandlerDecorator = ClassDecorator & MethodDecorator

/**
 * Lets requests pass without authentication: their tokens are not even read. On a handler it overrides what its class
 * requires. A decorator that requires something, on a handler of a class that is public, overrides that.
 */
export function Public(): HandlerDecorator {
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor) => {
    allowEverybody(handlerOrClass(target, descriptor))
  }
}

/** Lets requests pass whose token has all of these scopes; refuses others with 403. */
export function RequireScopes(...scopes: string[]): HandlerDecorator {
  return requirement(scopeGuard(scopes))
}

/** Lets requests pass whose token has at least one of these scopes; refuses others with 403. */
export function RequireAnyScope(...scopes: string[]): HandlerDecorator {
  return requirement(anyScopeGuard(scopes))
}

/**
 * Lets requests pass whose claims have exactly these values, or for whose claims the function returns `true`; refuses
 * others with 403.
 */
export function RequireClaims<Claims = RegisteredClaims>(required: RequiredClaims<Claims>): HandlerDecorator {
  return requirement(claimsGuard(required))
}

/** Lets requests with a token pass; refuses others with 401. For handlers behind `credentialsRequired: false`. */
export function RequireAuth(): HandlerDecorator {
  return requirement(authGuard())
}

/**
 * Lets requests pass whose user has authenticated strongly (`acrValues`) and recently (`maxAge`) enough; refuses others
 * with 401 and what is required (RFC 9470).
 */
export function RequireAuthentication(required: RequiredAuthentication): HandlerDecorator {
  return requirement(authenticationGuard(required))
}

/** With the guard itself, so that a handler outside of the global guard is not open. */
function requirement(guard: Guard): HandlerDecorator {
  const useGuard = UseGuards(JwksAuthGuard)
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const isFirst = addRequirement(handlerOrClass(target, descriptor), guard)
    if (isFirst) Reflect.apply(useGuard, undefined, [target, key, descriptor])
  }
}

function handlerOrClass(target: object, descriptor: PropertyDescriptor | undefined): object {
  return (descriptor?.value as object | undefined) ?? target
}

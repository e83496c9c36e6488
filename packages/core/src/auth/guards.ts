import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import {
  AuthenticationInsufficientError,
  ClaimsNotSufficientError,
  ScopeMissingError,
} from '../base/errors/request-errors.ts'
import {
  integerOption,
  isObject,
  knownOptions,
  type OptionTable,
  objectOption,
  optional,
  readOptions,
  stringsOption,
  TEN_YEARS,
} from '../base/options.ts'
import { type Auth, authenticationOf, type RegisteredClaims } from './auth.ts'
import { throwCallbackError } from './callbacks.ts'
import { checkBoundClaims } from './claim-rules.ts'
import { isScope, scopeOption } from './scopes.ts'

/** Decides by a verified token whether a route may be used. */
export interface Guard {
  /**
   * Returns `undefined` where the route may be used, or the reason why not. Throws what a callback of the application threw.
   *
   * @param now milliseconds since the epoch
   */
  check(auth: Auth<unknown>, now: number): JwksAuthError | undefined
  /** Returns the scopes that a challenge for the route names because of this guard. */
  scopesFor(auth: Auth<unknown>): readonly string[]
}

/** What `requireClaims` takes: claims with their exact values, or a function that decides. */
export type RequiredClaims<Claims = RegisteredClaims> =
  | Readonly<Record<string, string | number | boolean>>
  | ((claims: Claims) => boolean)

/** What `requireAuthentication` takes; at least one of these. */
export interface RequiredAuthentication {
  /** Authentication context classes, of which the token's `acr` must be one (RFC 9470 §3). */
  readonly acrValues?: string | readonly string[] | undefined
  /**
   * How long ago, in milliseconds, the user may have authenticated by the token's `auth_time`, `clockTolerance` added.
   * 1 000 or more, since the challenge names whole seconds, rounded down.
   */
  readonly maxAge?: number | undefined
}

const authenticationTable = {
  acrValues: optional(checkAcrValues),
  maxAge: optional((name, value) => integerOption(`${name}, in milliseconds,`, value, { min: 1_000, max: TEN_YEARS })),
} satisfies OptionTable<RequiredAuthentication>

const NO_SCOPES: readonly string[] = Object.freeze([])

/** Creates a guard that requires a token, and nothing of it. */
export function authGuard(): Guard {
  return { check: () => undefined, scopesFor: () => NO_SCOPES }
}

/**
 * Creates a guard that requires all of these scopes.
 *
 * @throws TypeError without a scope, or for a value that is not a scope (RFC 6749 §3.3)
 */
export function scopeGuard(scopes: readonly string[]): Guard {
  const required = checkScopes('requireScopes', scopes)
  return {
    check: (auth) => (required.every((scope) => auth.scopes.has(scope)) ? undefined : new ScopeMissingError(required)),
    scopesFor: () => required,
  }
}

/**
 * Creates a guard that requires one of these scopes. Its refusal names all of them; a challenge of another guard of the
 * route names those that the token has.
 *
 * @throws TypeError without a scope, or for a value that is not a scope (RFC 6749 §3.3)
 */
export function anyScopeGuard(scopes: readonly string[]): Guard {
  const accepted = checkScopes('requireAnyScope', scopes)
  const heldOf = (auth: Auth<unknown>): readonly string[] => accepted.filter((scope) => auth.scopes.has(scope))
  return {
    check: (auth) => (heldOf(auth).length > 0 ? undefined : new ScopeMissingError(accepted)),
    scopesFor(auth) {
      const held = heldOf(auth)
      return held.length > 0 ? held : accepted
    },
  }
}

/**
 * Creates a guard that requires claims with exact values, own members of `auth.claims`; or that a function returns `true`
 * for `auth.claims`.
 *
 * @throws TypeError without a claim, or for a value that is no string, boolean or whole number
 */
export function claimsGuard<Claims>(required: RequiredClaims<Claims>): Guard {
  const isSatisfied = typeof required === 'function' ? predicateOf(required) : exactClaims(required)
  return {
    check: ({ claims }) => (isSatisfied(claims) ? undefined : new ClaimsNotSufficientError()),
    scopesFor: () => NO_SCOPES,
  }
}

function exactClaims(required: unknown): (claims: unknown) => boolean {
  const wanted = [...checkBoundClaims('requireClaims', required)]
  if (wanted.length === 0) throw new TypeError('requireClaims takes at least one claim')
  return (claims) =>
    isObject(claims) && wanted.every(([name, value]) => Object.hasOwn(claims, name) && claims[name] === value)
}

/** A promise, 1 or a forgotten `return` are mistakes, which must not let a request pass. */
function predicateOf(predicate: (claims: never) => unknown): (claims: unknown) => boolean {
  return (claims) => {
    let result: unknown
    try {
      // The application says what its claims are.
      result = predicate(claims as never)
    } catch (thrown) {
      throwCallbackError(thrown)
    }
    if (typeof result === 'boolean') return result
    throw new TypeError('the function given to requireClaims must return true or false, and no promise')
  }
}

/**
 * Creates a guard that requires how strongly (`acr`) and how recently (`auth_time`) the user authenticated (RFC 9470). It
 * reads the claims as they were before the schema.
 *
 * @throws TypeError that names a wrong option
 */
export function authenticationGuard(required: RequiredAuthentication): Guard {
  const given = objectOption('requireAuthentication', required)
  knownOptions('requireAuthentication', given, Object.keys(authenticationTable))
  const { acrValues: accepted, maxAge } = readOptions('', given, authenticationTable)
  if (accepted === undefined && maxAge === undefined) {
    throw new TypeError('requireAuthentication takes acrValues, maxAge or both')
  }
  return {
    check(auth, now) {
      const { acr, authTime, clockTolerance } = authenticationOf(auth)
      const isStrong = accepted === undefined || (typeof acr === 'string' && accepted.includes(acr))
      const isRecent = maxAge === undefined || isWithin(authTime, now, maxAge, clockTolerance)
      return isStrong && isRecent ? undefined : new AuthenticationInsufficientError({ acrValues: accepted, maxAge })
    },
    scopesFor: () => NO_SCOPES,
  }
}

/** They go into a challenge, with spaces between them. */
function checkAcrValues(name: string, value: unknown): readonly string[] {
  const values = stringsOption(name, value)
  if (values.every(isScope)) return values
  throw new TypeError(`${name} must be printable ASCII without spaces, quotation marks and backslashes`)
}

/** True for an `auth_time` (OpenID Connect Core 1.0 §2, in seconds) within `maxAge`, and not in the future. */
function isWithin(authTime: unknown, now: number, maxAge: number, clockTolerance: number): boolean {
  if (typeof authTime !== 'number') return false
  const age = now - authTime * 1000
  return age >= -clockTolerance && age <= maxAge + clockTolerance
}

function checkScopes(name: string, scopes: readonly string[]): readonly string[] {
  if (scopes.length === 0) throw new TypeError(`${name} takes at least one scope`)
  return Object.freeze(scopes.map((scope) => scopeOption(`${name}: a scope`, scope)))
}

/** `Symbol.for`, so that an adapter finds the guards of another copy of this package. */
const guardOf: unique symbol = Symbol.for('@jwks-auth/core: guard')

/** Marks a handler of a framework as a guard, so that {@link guardsAmong} finds it among those of a route. */
export function markGuard<Handler extends object>(handler: Handler, guard: Guard): Handler {
  return Object.assign(handler, { [guardOf]: guard })
}

/** Returns the guards among the handlers of a route, in their order. */
export function guardsAmong(handlers: readonly unknown[]): readonly Guard[] {
  return handlers.flatMap((handler) => {
    if (typeof handler !== 'function') return []
    const { [guardOf]: guard }: { readonly [guardOf]?: Guard } = handler as object
    return guard ?? []
  })
}

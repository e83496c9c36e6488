import type { AuthRequest } from '../base/auth-request.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import {
  AuthenticationInsufficientError,
  AuthenticatorNotRunError,
  ClaimsNotSufficientError,
  ScopeMissingError,
  TokenMissingError,
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
import { isScope, scopeOption } from './check-claims.ts'
import { checkBoundClaims } from './claim-rules.ts'
import { type AuthRefusal, frameworkError, type RefusingAuthenticator, refusalResponse } from './refusal.ts'

/** What an adapter records on a framework's request. */
interface Authentication {
  readonly authenticator: RefusingAuthenticator
  readonly auth: Auth<unknown> | undefined
  /** The request as it was authenticated, for `onRefused`. */
  readonly request: AuthRequest
  /** The guards that have let the request pass. */
  passed: Set<Guard> | undefined
}

/** `Symbol.for`, so that a guard works with a middleware that comes from another copy of this package. */
const authentication: unique symbol = Symbol.for('@jwks-auth/core: authentication')

interface Recorded {
  [authentication]?: Authentication
}

/**
 * Records the result of an authentication on a framework's request, for {@link checkGuard} and {@link authOf}. A later
 * authentication of the same request replaces an earlier one.
 *
 * @param carrier the object that the framework passes to every handler of a request
 * @param request what the authenticator was given
 */
export function recordAuthentication(
  carrier: object,
  authenticator: RefusingAuthenticator,
  auth: Auth<unknown> | undefined,
  request: AuthRequest,
): void {
  const recorded: Recorded = carrier
  recorded[authentication] = { authenticator, auth, request, passed: undefined }
}

/** A guard's refusal. */
export interface GuardRefusal extends AuthRefusal {
  /** True where the error goes to the framework's error handler; otherwise `response` is to be sent. */
  readonly passErrors: boolean
}

/**
 * Runs a guard on a framework's request. Returns `undefined` where the request may pass. Without an authentication it
 * refuses: with 401 where the request carried no token, with 500 where no authenticator ran, which is a mistake in the
 * application. Where a scope is missing, the challenge names the scopes of all guards of the route that are known: those
 * that the request has passed and those of `route`, so that a client need not come back once for each.
 *
 * @param route returns the guards of the request's route, as far as the framework knows them; called on a refusal only
 * @throws what a callback of the application threw
 */
export function checkGuard(
  carrier: object,
  guard: Guard,
  route: () => readonly Guard[] = () => [],
): GuardRefusal | undefined {
  const { [authentication]: recorded }: Recorded = carrier
  if (recorded === undefined) return refuseWithoutAuthenticator()
  const { authenticator, auth, request, passed } = recorded
  let error = auth === undefined ? new TokenMissingError() : guard.check(auth, authenticator.now())
  if (error === undefined) {
    recorded.passed = (passed ?? new Set()).add(guard)
    return undefined
  }
  if (auth !== undefined && error.code === 'ERR_SCOPE_MISSING') {
    const scopes = [...(passed ?? []), ...route(), guard].flatMap((other) => other.scopesFor(auth))
    error = new ScopeMissingError([...new Set(scopes)])
  }
  return { ...authenticator.refuse(error, request, auth), passErrors: authenticator.passErrors }
}

/**
 * Returns the refusal of a request that no authenticator ran for: 500, a mistake in the application. It is sent and not
 * passed to the error handler, since without an authenticator there is no option `passErrors`.
 */
export function refuseWithoutAuthenticator(): GuardRefusal {
  const error = new AuthenticatorNotRunError()
  const response = refusalResponse(error, { realm: 'api', scopes: [], resourceMetadata: undefined }, 'before-tenant')
  return { ok: false, error, response, passErrors: false }
}

/**
 * Returns who authenticated on a framework's request, typed with the claims of `Register`. Where several authenticators
 * ran, that is the result of the last one.
 *
 * @throws AuthenticatorNotRunError where no authenticator ran: a mistake in the application
 * @throws RequestNotAuthenticatedError where `credentialsRequired: false` let a request without a token pass. It has the
 * `status` 401 and the challenge in `headers`, so that a framework's own error handler refuses the request
 */
export function authOf<Claims = RegisteredClaims>(carrier: object): Auth<Claims> {
  const { [authentication]: recorded }: Recorded = carrier
  if (recorded === undefined) {
    const error = new AuthenticatorNotRunError()
    Error.captureStackTrace(error, authOf)
    throw error
  }
  const { authenticator, auth, request } = recorded
  if (auth !== undefined) return auth as Auth<Claims>
  throw frameworkError(authenticator.refuse(new TokenMissingError(), request))
}

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

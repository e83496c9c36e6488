import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { AuthenticatorNotRunError, ScopeMissingError, TokenMissingError } from '../base/errors/request-errors.ts'
import { stringOption } from '../base/options.ts'
import type { Auth, RegisteredClaims } from './auth.ts'
import { type AuthRefusal, frameworkError, type RefusingAuthenticator, refusalResponse } from './refusal.ts'

/** Decides by a verified token whether a route may be used. Returns `undefined` where it may, or the reason. */
export type Guard = (auth: Auth<unknown>) => JwksAuthError | undefined

/** RFC 6749 §3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Creates a guard that requires all of these scopes.
 *
 * @throws TypeError without a scope, or for a value that is not a scope (RFC 6749 §3.3)
 */
export function scopeGuard(scopes: readonly string[]): Guard {
  if (scopes.length === 0) throw new TypeError('requireScopes takes at least one scope')
  for (const scope of scopes) {
    if (!SCOPE_TOKEN.test(stringOption('requireScopes: a scope', scope))) {
      throw new TypeError(
        `requireScopes: ${JSON.stringify(scope)} is not a scope; pass each scope as an argument of its own`,
      )
    }
  }
  const required = Object.freeze([...scopes])
  return (auth) => (required.every((scope) => auth.scopes.has(scope)) ? undefined : new ScopeMissingError(required))
}

/** What an adapter records on a framework's request. */
interface Authentication {
  readonly authenticator: RefusingAuthenticator
  readonly auth: Auth<unknown> | undefined
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
 * @param request the object that the framework passes to every handler of a request
 */
export function recordAuthentication(
  request: object,
  authenticator: Authentication['authenticator'],
  auth: Auth<unknown> | undefined,
): void {
  const recorded: Recorded = request
  recorded[authentication] = { authenticator, auth }
}

/** A guard's refusal. */
export interface GuardRefusal extends AuthRefusal {
  /** True where the error goes to the framework's error handler; otherwise `response` is to be sent. */
  readonly passErrors: boolean
}

/**
 * Runs a guard on a framework's request. Returns `undefined` where the request may pass. Without an authentication it
 * refuses: with 401 where the request carried no token, with 500 where no authenticator ran, which is a mistake in the
 * application.
 */
export function checkGuard(request: object, guard: Guard): GuardRefusal | undefined {
  const { [authentication]: recorded }: Recorded = request
  if (recorded === undefined) return refuseWithoutAuthenticator()
  const { authenticator, auth } = recorded
  const error = auth === undefined ? new TokenMissingError() : guard(auth)
  return error === undefined
    ? undefined
    : { ...authenticator.refuse(error, auth), passErrors: authenticator.passErrors }
}

/**
 * Returns the refusal of a request that no authenticator ran for: 500, a mistake in the application. It is sent and not
 * passed to the error handler, since without an authenticator there is no option `passErrors`.
 */
export function refuseWithoutAuthenticator(): GuardRefusal {
  const error = new AuthenticatorNotRunError()
  const response = refusalResponse(error, { realm: 'api', resourceMetadata: undefined }, 'before-tenant')
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
export function authOf<Claims = RegisteredClaims>(request: object): Auth<Claims> {
  const { [authentication]: recorded }: Recorded = request
  if (recorded === undefined) {
    const error = new AuthenticatorNotRunError()
    Error.captureStackTrace(error, authOf)
    throw error
  }
  const { authenticator, auth } = recorded
  if (auth !== undefined) return auth as Auth<Claims>
  throw frameworkError(authenticator.refuse(new TokenMissingError()))
}

import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { AuthenticatorNotRunError, ScopeMissingError, TokenMissingError } from '../base/errors/request-errors.ts'
import { stringOption } from '../base/options.ts'
import { answerTo } from './answer.ts'
import type { Auth } from './auth.ts'
import type { Authenticator } from './authenticator.ts'
import type { AuthRefusal } from './outcome.ts'
import { passable } from './passable-error.ts'

/** Decides by a verified token whether a route may be used: `undefined`, or why not. */
export type Guard = (auth: Auth<unknown>) => JwksAuthError | undefined

/** RFC 6749 §3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * A guard that asks for all of these scopes.
 *
 * @throws TypeError for none, or for what is no scope (RFC 6749 §3.3)
 */
export function scopeGuard(scopes: readonly string[]): Guard {
  if (scopes.length === 0) throw new TypeError('requireScopes takes at least one scope')
  for (const scope of scopes) {
    if (!SCOPE_TOKEN.test(stringOption('requireScopes: a scope', scope))) {
      throw new TypeError(
        `requireScopes: ${JSON.stringify(scope)} is no scope; give each scope as an argument of its own`,
      )
    }
  }
  const required = Object.freeze([...scopes])
  return (auth) => (required.every((scope) => auth.scopes.has(scope)) ? undefined : new ScopeMissingError(required))
}

/** What an adapter leaves with a framework's request for the guards after it. */
interface Authenticated {
  readonly request: object
  readonly authenticator: Pick<Authenticator<unknown>, 'refuse' | 'passErrors'>
  readonly auth: Auth<unknown> | undefined
}

/** The same in every copy of this package, so that a guard finds what another copy's middleware left. */
const authenticated: unique symbol = Symbol.for('@jwks-auth/core: authenticated') as never

interface Marked {
  [authenticated]?: Authenticated
}

/**
 * Leaves word of who authenticated a framework's request and what came of it.
 *
 * @param place where, instead of on the request itself, unless another request has left word there
 */
export function markAuthenticated(
  request: object,
  authenticator: Authenticated['authenticator'],
  auth: Auth<unknown> | undefined,
  place: object = request,
): void {
  const { [authenticated]: there }: Marked = place
  // Requests that were made one of the other may share a place: it is the first one's.
  const marked: Marked = there === undefined || there.request === request ? place : request
  // Enumerable, since defining it otherwise costs 0.5 µs of a request, ten times as much.
  marked[authenticated] = { request, authenticator, auth }
}

/**
 * What came of a framework's request, or of the one that it was derived from by `Object.create`.
 *
 * @param place that of {@link markAuthenticated}
 */
export function authenticatedAs(request: object, place: object = request): Auth<unknown> | undefined {
  return markOf(request, place)?.auth
}

function markOf(request: object, place: object): Authenticated | undefined {
  const { [authenticated]: there }: Marked = place
  if (there === undefined || there.request === request) return there
  const { [authenticated]: own }: Marked = request
  return own ?? (Object.prototype.isPrototypeOf.call(there.request, request) ? there : undefined)
}

/** A guard's refusal, and whether it goes the framework's own error path. */
export interface GuardRefusal extends AuthRefusal {
  /** True where the refusal goes the framework's own error path instead of being answered. */
  readonly passErrors: boolean
}

/**
 * Runs a guard on a framework's request; `undefined` where it may pass.
 *
 * @param place that of {@link markAuthenticated}
 */
export function checkGuard(request: object, guard: Guard, place: object = request): GuardRefusal | undefined {
  const mark = markOf(request, place)
  if (mark === undefined) return withoutAuthenticator()
  const { authenticator, auth } = mark
  const error = auth === undefined ? new TokenMissingError() : guard(auth)
  return error === undefined ? undefined : { ...authenticator.refuse(error), passErrors: authenticator.passErrors }
}

/** A mistake in the application. Answered, not passed on: there is no authenticator that was told `passErrors`. */
function withoutAuthenticator(): GuardRefusal {
  const error = new AuthenticatorNotRunError()
  const response = answerTo(error, { realm: 'api', resourceMetadata: undefined }, 'before-tenant')
  return { ok: false, error: passable(error, response), response, passErrors: false }
}

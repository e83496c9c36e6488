import type { AuthRequest } from '../base/auth-request.ts'
import { AuthenticatorNotRunError, ScopeMissingError, TokenMissingError } from '../base/errors/request-errors.ts'
import type { Auth, RegisteredClaims } from './auth.ts'
import type { Guard } from './guards.ts'
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

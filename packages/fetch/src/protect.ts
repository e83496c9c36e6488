import {
  type AccessTokenClaims,
  type Auth,
  type Authenticator,
  type AuthOutcome,
  createAuthenticator,
  type JwksAuthError,
  type JwksAuthOptions,
  type Registry,
  RequestNotAuthenticatedError,
} from '@jwks-auth/core'
import { authOf, recordAuthentication, toAuthRequest } from '@jwks-auth/core/adapter'
import { refuse, responseOf, responseOfError, withResponse } from './refuse.ts'

/** A handler of fetch requests; what comes after the request is the framework's, such as the context of Next.js. */
export type FetchHandler<Incoming extends Request = Request, Rest extends unknown[] = []> = (
  request: Incoming,
  ...rest: Rest
) => Response | Promise<Response>

/** A handler that {@link protect} or a guard has wrapped. */
export type ProtectedHandler<Incoming extends Request = Request, Rest extends unknown[] = []> = (
  request: Incoming,
  ...rest: Rest
) => Promise<Response>

/** How a request's authentication ended, with a fetch `Response` for a refused one. */
export type RequestOutcome<Claims = AccessTokenClaims> =
  | Extract<AuthOutcome<Claims>, { readonly ok: true }>
  | {
      /** Always `false`. */
      readonly ok: false
      /** Why. For logs: its `code` and message may tell which tenants exist. */
      readonly error: JwksAuthError
      /** What to send. */
      readonly response: Response
    }

/** What {@link protect} creates: a function that protects handlers, with the authenticator behind it. */
export interface Protect<Claims = AccessTokenClaims> {
  /**
   * Wraps a handler, so that it is called only for requests with a good token; other requests get the response of their
   * refusal. With `passErrors` the wrapped handler rejects with a `RequestNotAuthenticatedError` instead. Everything after
   * the request is passed on.
   */
  <Incoming extends Request, Rest extends unknown[]>(
    handler: FetchHandler<Incoming, Rest>,
  ): ProtectedHandler<Incoming, Rest>
  /**
   * Authenticates a request where there is no handler to wrap: in middleware, loaders and actions. A refusal is an
   * outcome, with `passErrors`, too. {@link getAuth} and the guards then work with this request.
   *
   * @throws TypeError for anything else than a fetch `Request`; what a callback of the application threw
   */
  authenticateRequest(request: Request): Promise<RequestOutcome<Claims>>
  /** Authenticates without a fetch `Request`. */
  readonly authenticator: Authenticator<Claims>
  /** The registry that caches the keys. */
  readonly registry: Registry
  /** Closes the registry, unless it was given in the options. */
  close(): Promise<void>
}

/**
 * Creates a function that protects handlers of fetch requests: `const auth = protect(options)`, then `auth(handler)`. It
 * verifies bearer tokens and sets `request.auth`, or the property that the option `property` names. The result belongs to
 * this `Request` object: a clone or a new `Request` made from it does not have it.
 *
 * @throws TypeError that names a wrong option
 */
export function protect<Claims = AccessTokenClaims>(options: JwksAuthOptions<Claims>): Protect<Claims> {
  const authenticator = createAuthenticator<Claims>(options)
  const { property = 'auth' } = options
  const { passErrors, registry } = authenticator

  async function authenticate(request: Request): Promise<AuthOutcome<Claims>> {
    const authRequest = toAuthRequest(request)
    const outcome = await authenticator.authenticate(authRequest)
    if (outcome.ok) {
      recordAuthentication(request, authenticator, outcome.auth, authRequest)
      Object.assign(request, { [property]: outcome.auth })
    }
    return outcome
  }

  function protectHandler<Incoming extends Request, Rest extends unknown[]>(
    handler: FetchHandler<Incoming, Rest>,
  ): ProtectedHandler<Incoming, Rest> {
    return async (request, ...rest) => {
      const outcome = await authenticate(request)
      if (!outcome.ok) return refuse(outcome, passErrors)
      try {
        return withHeaders(await handler(request, ...rest), outcome.headers)
      } catch (error) {
        // From `getAuth`. There is no framework around a plain handler that would make a response of it.
        if (passErrors || !(error instanceof RequestNotAuthenticatedError)) throw error
        return responseOfError(error)
      }
    }
  }

  return Object.assign(protectHandler, {
    async authenticateRequest(request: Request): Promise<RequestOutcome<Claims>> {
      const outcome = await authenticate(request)
      return outcome.ok ? outcome : { ...outcome, response: responseOf(outcome.response) }
    },
    authenticator,
    registry,
    close: () => authenticator.close(),
  })
}

/**
 * Returns who is calling, typed with the claims of `Register`, in handlers that {@link protect} has wrapped, and after
 * `authenticateRequest`. Takes the very `Request` that was authenticated, not a clone of it.
 *
 * @throws AuthenticatorNotRunError where this `Request` was not authenticated: a mistake in the application
 * @throws RequestNotAuthenticatedError, with the status 401, where `credentialsRequired: false` let a request without a
 *   token pass. A wrapped handler may leave it uncaught: the response is that of a missing token
 */
export function getAuth(request: Request): Auth {
  try {
    return authOf(request)
  } catch (error) {
    throw error instanceof RequestNotAuthenticatedError ? withResponse(error) : error
  }
}

/** Adds headers that the response does not have, to a copy where its own cannot be changed (`Response.redirect`). */
function withHeaders(response: Response, headers: Readonly<Record<string, string>> = {}): Response {
  const missing = Object.entries(headers).filter(([name]) => !response.headers.has(name))
  try {
    for (const [name, value] of missing) response.headers.set(name, value)
    return response
  } catch {
    const changed = new Response(response.body, response)
    for (const [name, value] of missing) changed.headers.set(name, value)
    return changed
  }
}

import {
  type AccessTokenClaims,
  type Auth,
  type Authenticator,
  type AuthOutcome,
  type AuthRequest,
  createAuthenticator,
  type JwksAuthOptions,
  type Registry,
  type RequestProperty,
} from '@jwks-auth/core'
import { authOf, frameworkRequest, isResponseOver, isThenable, recordAuthentication } from '@jwks-auth/core/adapter'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { refuse } from './refuse.ts'

declare global {
  namespace Express {
    interface Request {
      /** Who is calling, after `jwksAuth`; `undefined` where no token was required and none was sent. */
      auth?: RequestProperty
    }
  }
}

/** The middleware that {@link jwksAuth} creates. */
export interface JwksAuthMiddleware<Claims = AccessTokenClaims> extends RequestHandler {
  /** Authenticates without Express. */
  readonly authenticator: Authenticator<Claims>
  /** The registry that caches the keys. */
  readonly registry: Registry
  /** Closes the registry, unless it was given in the options. */
  close(): Promise<void>
}

/**
 * Creates a middleware that verifies bearer tokens and sets `req.auth`, or the property that the option `property` names.
 * It uses what a plain Node request and response have, so that it works in connect and engine.io, too. A request whose
 * response was sent already, or whose client has gone away, goes no further.
 *
 * @throws TypeError that names a wrong option
 */
export function jwksAuth<Claims = AccessTokenClaims>(options: JwksAuthOptions<Claims>): JwksAuthMiddleware<Claims> {
  const authenticator = createAuthenticator<Claims>(options)
  const { property = 'auth' } = options

  function finish(
    outcome: AuthOutcome<Claims>,
    request: AuthRequest,
    req: Request,
    res: Response,
    next: NextFunction,
  ): void {
    if (isResponseOver(res)) return
    if (!outcome.ok) {
      refuse(outcome, authenticator.passErrors, res, next)
      return
    }
    try {
      for (const [name, value] of Object.entries(outcome.headers ?? {})) res.setHeader(name, value)
      recordAuthentication(req, authenticator, outcome.auth, request)
      Object.assign(req, { [property]: outcome.auth })
    } catch (error) {
      // A property that cannot be set, such as `protocol`.
      next(error)
      return
    }
    next()
  }

  const middleware: RequestHandler = (req, res, next) => {
    const request = frameworkRequest(req, req)
    let outcome: AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
    try {
      outcome = authenticator.authenticate(request)
    } catch (error) {
      // Express 4 does not see what an asynchronous wrapper around this middleware rejects with.
      next(error)
      return
    }
    if (isThenable(outcome)) outcome.then((awaited) => finish(awaited, request, req, res, next), next)
    else finish(outcome, request, req, res, next)
  }
  const { registry } = authenticator
  return Object.assign(middleware, { authenticator, registry, close: () => authenticator.close() })
}

/**
 * Returns who is calling, typed with the claims of `Register`, in handlers that {@link jwksAuth} protects.
 *
 * @throws AuthenticatorNotRunError where no `jwksAuth` ran: a mistake in the application
 * @throws RequestNotAuthenticatedError, with the status 401, where `credentialsRequired: false` let a request without a token pass
 */
export function getAuth(req: Pick<Request, 'headers'>): Auth {
  return authOf(req)
}

import {
  type AccessTokenClaims,
  type Auth,
  type Authenticator,
  type AuthOutcome,
  type AuthRefusal,
  checkGuard,
  createAuthenticator,
  frameworkRequest,
  type Guard,
  type JwksAuthOptions,
  markAuthenticated,
  type Registry,
  scopeGuard,
} from '@jwks-auth/core'
import type { NextFunction, Request, RequestHandler, Response } from 'express'

declare global {
  namespace Express {
    interface Request {
      /** Who is asking, after `jwksAuth`; `undefined` where no token was required and none was sent. */
      auth?: Auth | undefined
    }
  }
}

/** The middleware that {@link jwksAuth} makes. */
export interface JwksAuthMiddleware<Claims = AccessTokenClaims> extends RequestHandler {
  /** What it authenticates with. */
  readonly authenticator: Authenticator<Claims>
  /** The registry that holds the keys. */
  readonly registry: Registry
  /** Closes the registry, unless it was given in the options. */
  close(): Promise<void>
}

/**
 * Makes a middleware that verifies bearer tokens and attaches what they say as `req.auth`.
 *
 * @throws TypeError that names a wrong option
 */
export function jwksAuth<Claims = AccessTokenClaims>(options: JwksAuthOptions<Claims>): JwksAuthMiddleware<Claims> {
  const authenticator = createAuthenticator<Claims>(options)
  function settle(outcome: AuthOutcome<Claims>, req: Request, res: Response, next: NextFunction): void {
    if (!outcome.ok) {
      refuse(outcome, authenticator.passErrors, res, next)
      return
    }
    if (outcome.headers !== undefined) res.set(outcome.headers)
    markAuthenticated(req, authenticator, outcome.auth, noteOf(req))
    // Which claims these are, the application says in `Register`.
    req.auth = outcome.auth as Auth | undefined
    next()
  }
  const middleware: RequestHandler = (req, res, next) => {
    const outcome = authenticator.authenticate(frameworkRequest(req, req))
    if (!(outcome instanceof Promise)) {
      settle(outcome, req, res, next)
      return
    }
    // Express 4 does not wait for what a handler returns, so a rejection would be nobody's.
    const fail = (error: unknown): void => next(error)
    outcome.then((awaited) => settle(awaited, req, res, next)).catch(fail)
  }
  const { registry } = authenticator
  return Object.assign(middleware, { authenticator, registry, close: () => authenticator.close() })
}

/**
 * Where word is left for guards: the request's list of raw headers, which is made for it and stays with it. Not the
 * request itself, since V8 makes a hidden class for each member that is added to one of Express, whose prototype was
 * changed: 3 µs of a request, and garbage. Requests that are made up for a test may have no such list.
 */
function noteOf(req: Pick<Request, 'headers'> & Partial<Pick<Request, 'rawHeaders'>>): object {
  return req.rawHeaders ?? req
}

/** Lets requests pass whose token has all of these scopes; answers others with 403. Comes after {@link jwksAuth}. */
export function requireScopes(...scopes: string[]): RequestHandler {
  return guardHandler(scopeGuard(scopes))
}

function guardHandler(guard: Guard): RequestHandler {
  return (req, res, next) => {
    const refusal = checkGuard(req, guard, noteOf(req))
    if (refusal === undefined) next()
    else refuse(refusal, refusal.passErrors, res, next)
  }
}

function refuse({ error, response }: AuthRefusal, passErrors: boolean, res: Response, next: NextFunction): void {
  if (passErrors) {
    next(error)
    return
  }
  // A time limit may have answered in the meantime.
  if (res.headersSent) return
  // Not `res.json`, which would add a charset to the type.
  res.writeHead(response.status, { ...response.headers, 'content-length': Buffer.byteLength(response.body) })
  res.end(response.body)
}

import { IncomingMessage } from 'node:http'
import {
  type AccessTokenClaims,
  type Auth,
  type Authenticator,
  type AuthOutcome,
  type AuthRefusal,
  authenticatedAs,
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
    attach(req, outcome.auth as Auth | undefined)
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
 * Where word is left of what came of a request: its list of raw headers, which is made for it and stays with it. Not the
 * request itself: V8 makes a hidden class for each member that is added to a request of Express, whose prototype was
 * changed, which takes 3 to 6 µs and leaves garbage. Requests that are made up for a test may have no such list.
 */
function noteOf(req: Pick<Request, 'headers'> & Partial<Pick<Request, 'rawHeaders'>>): object {
  return req.rawHeaders ?? req
}

/** `req.auth` of every request of Express: what is left for it. Whatever else it is set to is a member of its own. */
const authOfNote: PropertyDescriptor & ThisType<Request> = {
  configurable: true,
  enumerable: true,
  get() {
    return authenticatedAs(this, noteOf(this))
  },
  set(value: unknown) {
    Object.defineProperty(this, 'auth', { value, configurable: true, enumerable: true, writable: true })
  },
}

/** Sees to it that `req.auth` is that, once word is left of it. */
function attach(req: Request, auth: Auth | undefined): void {
  if (req.auth === auth) return
  const shared = prototypeOfExpress(req)
  if (shared !== undefined && !Object.hasOwn(shared, 'auth')) Reflect.defineProperty(shared, 'auth', authOfNote)
  // Not a request of Express, or something else has set it.
  if (req.auth !== auth) req.auth = auth
}

/**
 * What all requests inherit from that come by an application of this Express, `express.request`: one application may hand
 * a request to another.
 */
function prototypeOfExpress(req: Partial<Request>): object | undefined {
  if (req.app === undefined) return undefined
  let shared = Object.getPrototypeOf(req) as object | null
  while (shared !== null && Object.getPrototypeOf(shared) !== IncomingMessage.prototype) {
    shared = Object.getPrototypeOf(shared) as object | null
  }
  return shared ?? undefined
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

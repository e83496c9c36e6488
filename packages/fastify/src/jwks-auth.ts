import {
  type Auth,
  type Authenticator,
  type AuthOutcome,
  type AuthRefusal,
  createAuthenticator,
  type JwksAuthOptions,
  type RegisteredClaims,
  type Registry,
} from '@jwks-auth/core'
import {
  authOf,
  checkGuard,
  frameworkRequest,
  type Guard,
  isResponseOver,
  isThenable,
  recordAuthentication,
  refuseWithoutAuthenticator,
  scopeGuard,
} from '@jwks-auth/core/adapter'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
  preHandlerHookHandler,
} from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { refuseUnsetHooks } from './unset-hooks.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is calling, after `jwksAuth`; `undefined` where no token was required and none was sent. */
    auth: Auth | undefined
  }
  interface FastifyInstance {
    /**
     * The hook that authenticates, for routes that opt in. It exists once the registration of `jwksAuth` was awaited; the
     * exported {@link authenticate} needs no such order.
     */
    authenticate: onRequestHookHandler
    /** The authenticator and the registry of `jwksAuth`. */
    jwksAuth: JwksAuthDecoration
  }
}

type Done = (error?: Error) => void

/** One registration of {@link jwksAuth}. */
export interface JwksAuthRegistration {
  /** Authenticates without Fastify. */
  readonly authenticator: Authenticator<unknown>
  /** The registry that caches the keys. */
  readonly registry: Registry
  /** The hook that authenticates. */
  readonly authenticate: onRequestHookHandler
}

/** `fastify.jwksAuth`: the first registration in a scope, which `fastify.authenticate` belongs to as well. */
export interface JwksAuthDecoration extends JwksAuthRegistration {
  /** All registrations in this scope, by the option `property`. */
  readonly registrations: ReadonlyMap<string, JwksAuthRegistration>
}

/** The options of {@link jwksAuth}. */
export type JwksAuthPluginOptions<Claims = unknown> = JwksAuthOptions<Claims, RegisteredClaims> & {
  /** `false` guards no route by itself; routes opt in with `onRequest: authenticate`. Default `true`. */
  readonly global?: boolean | undefined
}

/** The registrations by the scope that they are in. */
const registrationsOf = new WeakMap<object, Map<string, JwksAuthRegistration>>()

/**
 * The plugin that verifies bearer tokens for the routes of its scope and sets `request.auth`, or the property that the
 * option `property` names. Its registration rejects with a `TypeError` that names a wrong option. Two registrations in one
 * scope need different values of `property`.
 */
export const jwksAuth: FastifyPluginAsync<JwksAuthPluginOptions> = fastifyPlugin(
  async (fastify: FastifyInstance, { global: isGlobal = true, ...options }: JwksAuthPluginOptions) => {
    if (typeof isGlobal !== 'boolean') throw new TypeError('global must be true or false')
    const authenticator = createAuthenticator(options as JwksAuthOptions)
    fastify.addHook('onClose', () => authenticator.close())
    const { property = 'auth' } = options
    const hook = authenticationHook(authenticator, property)
    decorate(fastify, property, { authenticator, registry: authenticator.registry, authenticate: hook })
    // Routes may still be added, so the check waits until all are there.
    fastify.addHook('onReady', async () => refuseUnsetHooks(fastify, isGlobal))
    if (isGlobal) fastify.addHook('onRequest', hook)
  },
  { name: '@jwks-auth/fastify', fastify: '5.x' },
)

function decorate(fastify: FastifyInstance, property: string, registration: JwksAuthRegistration): void {
  const registrations = registrationsOf.get(fastify) ?? new Map<string, JwksAuthRegistration>()
  // Fastify's own error tells that a name is taken, be it by the same property in this scope.
  if (registrations.size === 0 || registrations.has(property)) {
    fastify.decorate('authenticate', registration.authenticate)
    fastify.decorate('jwksAuth', { ...registration, registrations })
  }
  if (!isDecoratedAround(fastify, property)) {
    if (fastify.hasRequestDecorator(property))
      throw new TypeError(`property must not be ${property}: requests have that`)
    fastify.decorateRequest(property, undefined)
  }
  registrations.set(property, registration)
  registrationsOf.set(fastify, registrations)
}

/** True where a registration in a scope around this one has decorated requests with the property. */
function isDecoratedAround(scope: object, property: string): boolean {
  const outer: unknown = Object.getPrototypeOf(scope)
  if (typeof outer !== 'object' || outer === null) return false
  return registrationsOf.get(outer)?.has(property) === true || isDecoratedAround(outer, property)
}

function authenticationHook(authenticator: Authenticator<unknown>, property: string): onRequestHookHandler {
  function finish(outcome: AuthOutcome<unknown>, request: FastifyRequest, reply: FastifyReply, done: Done): void {
    // Without `done` the request goes no further.
    if (reply.sent || isResponseOver(reply.raw)) return
    if (!outcome.ok) {
      refuse(outcome, authenticator.passErrors, reply, done)
      return
    }
    if (outcome.headers !== undefined) reply.headers(outcome.headers)
    recordAuthentication(request, authenticator, outcome.auth)
    Object.assign(request, { [property]: outcome.auth })
    done()
  }
  // With `done`: an asynchronous hook would cost each request a promise and a turn of the microtask queue.
  return (request, reply, done) => {
    const outcome = authenticator.authenticate(frameworkRequest(request, request.raw))
    if (isThenable(outcome)) outcome.then((awaited) => finish(awaited, request, reply, done), done)
    else finish(outcome, request, reply, done)
  }
}

/**
 * The hook that authenticates, for routes that opt in: `onRequest: authenticate`. It uses the first registration of
 * {@link jwksAuth} in the scope of the route, whichever of the two came first. Where there is none, it refuses with 500.
 */
export const authenticate: onRequestHookHandler = function (request, reply, done) {
  const { server } = request
  if (server.hasDecorator('jwksAuth')) server.jwksAuth.authenticate.call(this, request, reply, done)
  else refuse(refuseWithoutAuthenticator(), false, reply, done)
}

/**
 * Returns who is calling, typed with the claims of `Register`, in handlers that {@link jwksAuth} protects.
 *
 * @throws AuthenticatorNotRunError where no `jwksAuth` ran: a mistake in the application
 * @throws TokenMissingError, with the status 401, where `credentialsRequired: false` let a request without a token pass
 */
export function getAuth(request: Pick<FastifyRequest, 'id'>): Auth {
  return authOf(request)
}

/** Lets requests pass whose token has all of these scopes; refuses others with 403. Comes after {@link jwksAuth}. */
export function requireScopes(...scopes: string[]): preHandlerHookHandler {
  return guardHook(scopeGuard(scopes))
}

function guardHook(guard: Guard): preHandlerHookHandler {
  return (request, reply, done) => {
    const refusal = checkGuard(request, guard)
    if (refusal === undefined) done()
    else refuse(refusal, refusal.passErrors, reply, done)
  }
}

function refuse({ error, response }: AuthRefusal, passErrors: boolean, reply: FastifyReply, done: Done): void {
  if (passErrors) {
    done(error)
    return
  }
  // A buffer: Fastify would add a charset to the type of a string.
  reply.code(response.status).headers(response.headers).send(Buffer.from(response.body))
}

import {
  type Auth,
  type Authenticator,
  type AuthOutcome,
  type AuthRequest,
  createAuthenticator,
  type JwksAuthOptions,
  type RegisteredClaims,
  type Registry,
} from '@jwks-auth/core'
import {
  authOf,
  frameworkRequest,
  isResponseOver,
  isThenable,
  recordAuthentication,
  refuseWithoutAuthenticator,
} from '@jwks-auth/core/adapter'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { sendMetadata } from './protected-resource.ts'
import { type Done, refuse } from './refuse.ts'
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

/** One registration of {@link jwksAuth}. */
export interface JwksAuthRegistration {
  /** Authenticates without Fastify. */
  readonly authenticator: Authenticator<unknown>
  /** The registry that caches the keys. */
  readonly registry: Registry
}

/** `fastify.jwksAuth`: the first registration in a scope, which `fastify.authenticate` uses, too. */
export interface JwksAuthDecoration extends JwksAuthRegistration {
  /** All registrations in this scope, by the option `property`. */
  readonly registrations: ReadonlyMap<string, JwksAuthRegistration>
}

/** The options of {@link jwksAuth}. */
export type JwksAuthPluginOptions<Claims = unknown> = JwksAuthOptions<Claims, RegisteredClaims> & {
  /** `false` guards no route by itself; routes opt in with `onRequest: authenticate`. Default `true`. */
  readonly global?: boolean | undefined
}

interface Registered extends JwksAuthRegistration {
  readonly hook: onRequestHookHandler
}

/** The registrations in each scope, by their property. */
const registrationsOf = new WeakMap<object, Map<string, Registered>>()

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
    decorate(fastify, property, { authenticator, registry: authenticator.registry, hook })
    // Routes may still be added, so the check waits until all are there.
    fastify.addHook('onReady', async () => refuseUnsetHooks(fastify, isGlobal))
    if (isGlobal) fastify.addHook('onRequest', hook)
  },
  { name: '@jwks-auth/fastify', fastify: '5.x' },
)

function decorate(fastify: FastifyInstance, property: string, registered: Registered): void {
  const registrations = registrationsOf.get(fastify) ?? new Map<string, Registered>()
  const { hook, authenticator, registry } = registered
  // A second time, for the same property in the same scope, the latter throws.
  if (registrations.size === 0 || registrations.has(property)) {
    // An application that has a decorator of this name keeps it: the exported `authenticate` does not need ours.
    if (!Object.hasOwn(fastify, 'authenticate')) fastify.decorate('authenticate', hook)
    fastify.decorate('jwksAuth', { authenticator, registry, registrations })
  }
  if (registrationFor(fastify, property) === undefined) {
    if (fastify.hasRequestDecorator(property)) {
      throw new TypeError(`property must not be ${property}: requests have that; choose another name for the result`)
    }
    fastify.decorateRequest(property, undefined)
  }
  registrations.set(property, registered)
  registrationsOf.set(fastify, registrations)
}

/** Returns the registration of the nearest scope, outwards from this one; without a property, the first one there. */
function registrationFor(scope: object, property?: string): Registered | undefined {
  const registrations = registrationsOf.get(scope)
  const found = property === undefined ? registrations?.values().next().value : registrations?.get(property)
  const outer: unknown = Object.getPrototypeOf(scope)
  if (found !== undefined || typeof outer !== 'object' || outer === null) return found
  return registrationFor(outer, property)
}

function authenticationHook(authenticator: Authenticator<unknown>, property: string): onRequestHookHandler {
  function finish(
    outcome: AuthOutcome<unknown>,
    authRequest: AuthRequest,
    request: FastifyRequest,
    reply: FastifyReply,
    done: Done,
  ): void {
    // Without `done` the request goes no further.
    if (reply.sent || isResponseOver(reply.raw)) return
    if (!outcome.ok) {
      refuse(outcome, authenticator.passErrors, reply, done)
      return
    }
    if (outcome.headers !== undefined) reply.headers(outcome.headers)
    recordAuthentication(request, authenticator, outcome.auth, authRequest)
    Object.assign(request, { [property]: outcome.auth })
    done()
  }
  // With `done`: an asynchronous hook would cost each request a promise and a turn of the microtask queue.
  return (request, reply, done) => {
    if (sendMetadata(request, reply)) return
    const authRequest = frameworkRequest(request, request.raw)
    const outcome = authenticator.authenticate(authRequest)
    if (isThenable(outcome)) outcome.then((awaited) => finish(awaited, authRequest, request, reply, done), done)
    else finish(outcome, authRequest, request, reply, done)
  }
}

/**
 * The hook that authenticates, for routes that opt in: `onRequest: authenticate`. It uses the first registration of
 * {@link jwksAuth} in the scope of the route, or else in the nearest scope around it. It may be used before that is
 * registered; where there is none, it refuses with 500.
 */
export const authenticate: onRequestHookHandler = hookOf()

/** Creates a hook like {@link authenticate} that uses the registration with this value of the option `property`. */
export function authenticateAs(property: string): onRequestHookHandler {
  return hookOf(property)
}

function hookOf(property?: string): onRequestHookHandler {
  return function (request, reply, done) {
    const registered = registrationFor(request.server, property)
    if (registered === undefined) refuse(refuseWithoutAuthenticator(), false, reply, done)
    else registered.hook.call(this, request, reply, done)
  }
}

/**
 * Returns who is calling, typed with the claims of `Register`, in handlers that {@link jwksAuth} protects.
 *
 * @throws AuthenticatorNotRunError where no `jwksAuth` ran: a mistake in the application
 * @throws RequestNotAuthenticatedError, with the status 401, where `credentialsRequired: false` let a request without a token pass
 */
export function getAuth(request: Pick<FastifyRequest, 'id'>): Auth {
  return authOf(request)
}

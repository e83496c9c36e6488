import {
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
  type RegisteredClaims,
  type Registry,
  scopeGuard,
} from '@jwks-auth/core'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
  preHandlerHookHandler,
} from 'fastify'
import fastifyPlugin from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking, after `jwksAuth`; `undefined` where no token was required and none was sent. */
    auth: Auth | undefined
  }
  interface FastifyInstance {
    /** The hook that authenticates, for routes that opt in: `onRequest: fastify.authenticate`. */
    authenticate: onRequestHookHandler
    /** What `jwksAuth` was registered with. */
    jwksAuth: JwksAuthDecoration
  }
}

type Done = (error?: Error) => void

/** What `fastify.jwksAuth` is. */
export interface JwksAuthDecoration {
  /** What it authenticates with. */
  readonly authenticator: Authenticator<unknown>
  /** The registry that holds the keys. */
  readonly registry: Registry
}

/** What {@link jwksAuth} is registered with. */
export type JwksAuthPluginOptions<Claims = unknown> = JwksAuthOptions<Claims, RegisteredClaims> & {
  /** `false` guards no route by itself; routes opt in with `onRequest: fastify.authenticate`. Default `true`. */
  readonly global?: boolean | undefined
}

/**
 * A plugin that verifies bearer tokens of the routes in its scope and attaches what they say as `request.auth`.
 * Registering it rejects with a `TypeError` that names a wrong option.
 */
export const jwksAuth: FastifyPluginAsync<JwksAuthPluginOptions> = fastifyPlugin(
  async (fastify: FastifyInstance, { global: isGlobal = true, ...options }: JwksAuthPluginOptions) => {
    if (typeof isGlobal !== 'boolean') throw new TypeError('global must be true or false')
    const authenticator = createAuthenticator(options as JwksAuthOptions)
    function settle(outcome: AuthOutcome<unknown>, request: FastifyRequest, reply: FastifyReply, done: Done): void {
      if (!outcome.ok) {
        refuse(outcome, authenticator.passErrors, reply, done)
        return
      }
      if (outcome.headers !== undefined) reply.headers(outcome.headers)
      markAuthenticated(request, authenticator, outcome.auth)
      // Which claims these are, the application says in `Register`.
      request.auth = outcome.auth as Auth | undefined
      done()
    }
    // With `done`, since an asynchronous hook would cost each request a promise and a turn of the queue.
    const authenticate: onRequestHookHandler = (request, reply, done) => {
      const outcome = authenticator.authenticate(frameworkRequest(request, request.raw))
      if (!(outcome instanceof Promise)) {
        settle(outcome, request, reply, done)
        return
      }
      const fail = (error: Error): void => done(error)
      outcome.then((awaited) => settle(awaited, request, reply, done)).catch(fail)
    }
    fastify.addHook('onClose', () => authenticator.close())
    // Where a scope around this one has it, its requests have the decoration already.
    if (!fastify.hasDecorator('jwksAuth')) fastify.decorateRequest('auth', undefined)
    fastify.decorate('authenticate', authenticate)
    fastify.decorate('jwksAuth', { authenticator, registry: authenticator.registry })
    if (isGlobal) fastify.addHook('onRequest', authenticate)
  },
  { name: '@jwks-auth/fastify', fastify: '5.x' },
)

/** Lets requests pass whose token has all of these scopes; answers others with 403. Comes after {@link jwksAuth}. */
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
  // A buffer: to the type of a string Fastify would add a charset.
  reply.code(response.status).headers(response.headers).send(Buffer.from(response.body))
}

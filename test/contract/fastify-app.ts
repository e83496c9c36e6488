import { getAuth, jwksAuth, type Registry, requireScopes } from '@jwks-auth/fastify'
import { type FastifyInstance, fastify, type RouteHandlerMethod } from 'fastify'
import {
  authIn,
  authView,
  corsHeaders,
  errorStatus,
  errorView,
  type Framework,
  orderScopes,
  portOf,
} from './protected-app.ts'

export const fastifyFive: Framework = {
  name: 'Fastify 5',
  async start({ auth, mount = '', showErrors = false, trustsProxy = false, onError, afterwards }) {
    let handled = 0
    const { property = 'auth' } = auth
    const guard = requireScopes(...orderScopes)
    const who: RouteHandlerMethod = (request, reply) => {
      handled += 1
      const found = authIn(request, property)
      const view = authView(found)
      if (found !== undefined) afterwards?.(found)
      return reply.send(view)
    }
    const get: RouteHandlerMethod = (request, reply) => reply.send(authView(getAuth(request)))

    const app = fastify({ forceCloseConnections: true, trustProxy: trustsProxy })
    app.addHook('onRequest', async (_request, reply) => {
      reply.headers(corsHeaders)
    })
    if (showErrors) {
      app.setErrorHandler((error, _request, reply) => {
        onError?.(error)
        return reply.code(errorStatus(error)).send(errorView(error))
      })
    }
    app.get('/bare', { preHandler: guard }, who)
    app.get('/bare-get', get)
    let registry: Registry | undefined
    await app.register(protect, { prefix: mount })

    // A scope of its own, so that `/bare` is outside of it.
    async function protect(api: FastifyInstance): Promise<void> {
      await api.register(jwksAuth, auth)
      registry = api.jwksAuth.registry
      api.get('/who', who)
      api.options('/who', who)
      api.get('/tenants/:tenant/who', who)
      api.get('/orders', { preHandler: guard }, who)
      api.get('/get', get)
      // Unknown paths are answered within the scope, too.
      api.setNotFoundHandler((_request, reply) => reply.code(404).send())
    }

    await app.listen({ port: 0, host: '127.0.0.1' })
    if (registry === undefined) throw new Error('jwksAuth was not registered')
    return {
      framework: 'Fastify 5',
      port: portOf(app.server.address()),
      registry,
      handled: () => handled,
      close: () => app.close(),
    }
  },
}

import type { ProtectedResourceOptions } from '@jwks-auth/core'
import { createProtectedResource, type ProtectedResource } from '@jwks-auth/core/adapter'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'

/** The plugin that {@link protectedResource} creates. */
export interface ProtectedResourcePlugin extends FastifyPluginAsync {
  /** The URL of the metadata, for the option `resourceMetadata` of `jwksAuth`. */
  readonly metadataUrl: string
}

/** Where an instance has its resources; the scopes within inherit them. */
const resources: unique symbol = Symbol('protected resources')

interface Serving {
  [resources]?: ProtectedResource[]
}

/**
 * Creates a plugin that serves the metadata of a protected resource (RFC 9728) at
 * `/.well-known/oauth-protected-resource`, followed by the path of `resource`, for GET, HEAD and CORS preflights. Register
 * it on the root instance. `jwksAuth` lets these requests pass, whichever comes first.
 *
 * @throws TypeError that names a wrong option
 */
export function protectedResource(options: ProtectedResourceOptions): ProtectedResourcePlugin {
  const resource = createProtectedResource(options)
  const plugin: FastifyPluginAsync = async (fastify: FastifyInstance) => {
    if (fastify.prefix !== '') throw new TypeError('protectedResource must be registered on the root instance')
    const serving = fastify as Serving
    serving[resources] = [...(serving[resources] ?? []), resource]
    // A hook, since a route would have the hooks of `jwksAuth`.
    fastify.addHook('onRequest', (request, reply, done) => {
      if (!sendMetadata(request, reply)) done()
    })
  }
  const { metadataUrl } = resource
  return Object.assign(fastifyPlugin(plugin, { fastify: '5.x' }), { metadataUrl })
}

/** Responds to a request for the metadata of a protected resource; false for any other request. */
export function sendMetadata({ server, method, originalUrl }: FastifyRequest, reply: FastifyReply): boolean {
  const { [resources]: served } = server as Serving
  if (served === undefined) return false
  for (const { respond } of served) {
    const response = respond(method, originalUrl)
    if (response === undefined) continue
    reply.code(response.status).headers(response.headers).send(Buffer.from(response.body))
    return true
  }
  return false
}

import type { Registry } from '@jwks-auth/core'
import {
  createStatusResponder,
  frameworkRequest,
  isResponseOver,
  type StatusHandlerOptions,
} from '@jwks-auth/core/adapter'
import type { FastifyPluginAsync, FastifyRequest, RouteHandlerMethod } from 'fastify'

export type { StatusHandlerOptions }

/**
 * Creates a plugin with the status of a registry's providers, as a page and as JSON:
 * `app.register(createStatusHandler(registry, { authorize }), { prefix: '/status' })`. It answers every path below its
 * prefix, in a scope of its own.
 *
 * @param options `authorize` gets Fastify's request
 * @throws TypeError that names a wrong option, or where `authorize` is missing
 */
export function createStatusHandler(
  registry: Registry,
  options: StatusHandlerOptions<FastifyRequest>,
): FastifyPluginAsync {
  const respond = createStatusResponder(registry, options)
  return async (fastify) => {
    // The path as it was sent: the parameter of a wildcard is decoded, so that `%2F` would count as a slash.
    const depth = fastify.prefix.split('/').length
    const handler: RouteHandlerMethod = async (request, reply) => {
      const [path = '', search = ''] = request.url.split('?', 2)
      const target = `/${path.split('/').slice(depth).join('/')}?${search}`
      const { status, headers, body } = await respond(frameworkRequest(request, request.raw), target)
      if (reply.sent || isResponseOver(reply.raw)) return reply.hijack()
      // A buffer: Fastify would add a charset to the type of a string.
      return reply.code(status).headers(headers).send(Buffer.from(body))
    }
    // No path reads a body, so that any content type is accepted, also that of a form.
    fastify.removeAllContentTypeParsers()
    fastify.addContentTypeParser('*', (_request, _body, done) => done(null))
    fastify.all('/', handler)
    fastify.all('/*', handler)
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Registry } from '@jwks-auth/core'
import {
  createStatusResponder,
  frameworkRequest,
  isResponseOver,
  type StatusHandlerOptions,
} from '@jwks-auth/core/adapter'

export type { StatusHandlerOptions }

/** A middleware of Nest, which gets Node's request and response on Fastify, and those of Express there. */
export type StatusMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Creates a middleware with the status of a registry's providers, as a page and as JSON:
 * `app.use('/status', createStatusHandler(registry, { authorize }))`. It answers every path below its mount. Guards do not
 * run for middlewares: `authorize` decides who sees it.
 *
 * @param options `authorize` gets the request
 * @throws TypeError that names a wrong option, or where `authorize` is missing
 */
export function createStatusHandler(
  registry: Registry,
  options: StatusHandlerOptions<IncomingMessage>,
): StatusMiddleware {
  const respond = createStatusResponder(registry, options)
  return (req, res, next) => {
    respond(frameworkRequest(req, req), req.url ?? '/').then(({ status, headers, body }) => {
      if (!isResponseOver(res)) {
        res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
      }
    }, next)
  }
}

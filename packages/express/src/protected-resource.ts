import type { ProtectedResourceOptions } from '@jwks-auth/core'
import { createProtectedResource } from '@jwks-auth/core/adapter'
import type { RequestHandler } from 'express'

/** The middleware that {@link protectedResource} creates. */
export interface ProtectedResourceMiddleware extends RequestHandler {
  /** The URL of the metadata, for the option `resourceMetadata` of `jwksAuth`. */
  readonly metadataUrl: string
}

/**
 * Creates a middleware that serves the metadata of a protected resource (RFC 9728) at
 * `/.well-known/oauth-protected-resource`, followed by the path of `resource`, for GET, HEAD and CORS preflights. Comes before
 * `jwksAuth`, at the root of the application.
 *
 * @throws TypeError that names a wrong option
 */
export function protectedResource(options: ProtectedResourceOptions): ProtectedResourceMiddleware {
  const { metadataUrl, respond } = createProtectedResource(options)
  const middleware: RequestHandler = (req, res, next) => {
    const response = respond(req.method, req.originalUrl)
    if (response === undefined) next()
    else res.writeHead(response.status, { ...response.headers }).end(response.body)
  }
  return Object.assign(middleware, { metadataUrl })
}

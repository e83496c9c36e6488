import type { ProtectedResourceOptions } from '@jwks-auth/core'
import { createProtectedResource } from '@jwks-auth/core/adapter'
import type { Middleware } from 'koa'

/** The middleware that {@link protectedResource} creates. */
export interface ProtectedResourceMiddleware extends Middleware {
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
  const middleware: Middleware = (ctx, next) => {
    const response = respond(ctx.method, ctx.originalUrl)
    if (response === undefined) return next()
    ctx.set({ ...response.headers })
    ctx.body = response.body
    ctx.status = response.status
    return undefined
  }
  return Object.assign(middleware, { metadataUrl })
}

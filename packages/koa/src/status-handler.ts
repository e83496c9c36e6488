import type { Registry } from '@jwks-auth/core'
import {
  createStatusResponder,
  frameworkRequest,
  isResponseOver,
  type StatusHandlerOptions,
} from '@jwks-auth/core/adapter'
import type { Context, Middleware } from 'koa'

export type { StatusHandlerOptions }

/**
 * Creates a middleware with the status of a registry's providers, as a page and as JSON. Mount it with koa-mount:
 * `app.use(mount('/status', createStatusHandler(registry, { authorize })))`. It answers every path below its mount.
 *
 * @param options `authorize` gets Koa's context
 * @throws TypeError that names a wrong option, or where `authorize` is missing
 */
export function createStatusHandler(registry: Registry, options: StatusHandlerOptions<Context>): Middleware {
  const respond = createStatusResponder(registry, options)
  return async (ctx) => {
    const { status, headers, body } = await respond(frameworkRequest(ctx, ctx.req), ctx.url)
    if (isResponseOver(ctx.res)) {
      ctx.respond = false
      return
    }
    ctx.status = status
    ctx.set({ ...headers })
    ctx.body = body
  }
}

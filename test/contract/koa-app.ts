import { once } from 'node:events'
import { createServer } from 'node:http'
import { getAuth, jwksAuth, requireScopes } from '@jwks-auth/koa'
import Koa3, { type Middleware } from 'koa'
import Koa2 from 'koa2'
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

/** Koa 2 and 3 are the same for this API. */
function koaFramework(name: string, Koa: typeof Koa3): Framework {
  return {
    name,
    async start({ auth, mount = '', showErrors = false, trustsProxy = false, onError, afterwards }) {
      let handled = 0
      const authenticate = jwksAuth(auth)
      const { property = 'auth' } = auth
      const guard = requireScopes(...orderScopes)
      const who: Middleware = (ctx) => {
        handled += 1
        const found = authIn(ctx.state, property)
        ctx.body = authView(found)
        if (found !== undefined) afterwards?.(found)
      }
      const get: Middleware = (ctx) => {
        ctx.body = authView(getAuth(ctx))
      }

      const app = new Koa()
      app.silent = true
      app.proxy = trustsProxy
      app.use(async (ctx, next) => {
        ctx.set(corsHeaders)
        try {
          await next()
        } catch (error) {
          if (!showErrors) throw error
          onError?.(error)
          ctx.status = errorStatus(error)
          ctx.body = errorView(error)
        }
      })
      app.use((ctx, next) => (ctx.path === '/bare' ? guard(ctx, () => who(ctx, next)) : next()))
      app.use((ctx, next) => (ctx.path === '/bare-get' ? get(ctx, next) : next()))
      // As koa-mount does it: `path` and `url` lose the prefix, `originalUrl` keeps it.
      app.use(async (ctx, next) => {
        if (!ctx.path.startsWith(mount)) return
        ctx.path = ctx.path.slice(mount.length)
        await next()
      })
      app.use(authenticate)
      app.use((ctx, next) => (ctx.path === '/orders' ? guard(ctx, () => who(ctx, next)) : next()))
      app.use((ctx, next) => (ctx.path === '/get' ? get(ctx, next) : next()))
      app.use((ctx, next) => (/^\/(?:tenants\/[^/]+\/)?who$/.test(ctx.path) ? who(ctx, next) : next()))

      const answer = app.callback()
      const server = createServer((req, res) => void answer(req, res)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      return {
        framework: name,
        port: portOf(server.address()),
        registry: authenticate.registry,
        handled: () => handled,
        async close() {
          server.closeAllConnections()
          server.close()
          await authenticate.close()
        },
      }
    },
  }
}

// The types of 2 are the same for what is used here.
export const koaTwo: Framework = koaFramework('Koa 2', Koa2 as unknown as typeof Koa3)
export const koaThree: Framework = koaFramework('Koa 3', Koa3)

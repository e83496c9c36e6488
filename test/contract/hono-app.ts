import { once } from 'node:events'
import { createServer } from 'node:http'
import { getAuth, protect, requireScopes } from '@jwks-auth/fetch'
import { type Context, Hono } from 'hono'
import { fetchListener } from './fetch-listener.ts'
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

/** Handlers of `@jwks-auth/fetch`, in Hono on Node. */
export const honoFour: Framework = {
  name: 'Hono 4',
  usesFetch: true,
  async start({ auth, mount = '', showErrors = false, onError, afterwards }) {
    let handled = 0
    const { property = 'auth' } = auth
    const authenticate = protect(auth)
    const guard = requireScopes(...orderScopes)
    const who = (request: Request): Response => {
      handled += 1
      const found = authIn(request, property)
      const response = Response.json(authView(found))
      if (found !== undefined) afterwards?.(found)
      return response
    }
    const get = (request: Request): Response => Response.json(authView(getAuth(request)))
    const serve = (handler: (request: Request) => Response | Promise<Response>) => (c: Context) => handler(c.req.raw)

    const app = new Hono()
    app.use(async (c, next) => {
      for (const [name, value] of Object.entries(corsHeaders)) c.res.headers.set(name, value)
      await next()
    })
    if (showErrors) {
      app.onError((error, c) => {
        onError?.(error)
        return c.json(errorView(error), errorStatus(error) as 401)
      })
    }
    app.get('/bare', serve(guard(who)))
    app.get('/bare-get', serve(get))
    const api = app.basePath(mount)
    api.on(['GET', 'OPTIONS'], ['/who', '/tenants/:tenant/who'], serve(authenticate(who)))
    api.get('/orders', serve(authenticate(guard(who))))
    api.get('/get', serve(authenticate(get)))
    api.all('*', serve(authenticate(() => new Response(null, { status: 404 }))))

    const server = createServer(fetchListener(app.fetch)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      framework: 'Hono 4',
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

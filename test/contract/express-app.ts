import { once } from 'node:events'
import { createServer } from 'node:http'
import { getAuth, jwksAuth, requireScopes } from '@jwks-auth/express'
import express5, { type ErrorRequestHandler, type RequestHandler } from 'express'
import express4 from 'express4'
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

/** Express 4 and 5 are the same for this API. */
function expressFramework(name: string, express: typeof express5): Framework {
  return {
    name,
    async start({ auth, mount = '/', showErrors = false, trustsProxy = false, onError, afterwards }) {
      let handled = 0
      const authenticate = jwksAuth(auth)
      const { property = 'auth' } = auth
      const who: RequestHandler = (req, res) => {
        handled += 1
        const found = authIn(req, property)
        res.json(authView(found))
        if (found !== undefined) afterwards?.(found)
      }
      const get: RequestHandler = (req, res) => {
        res.json(authView(getAuth(req)))
      }
      const api = express.Router()
      api.use(authenticate)
      api.route('/who').get(who).options(who)
      api.get('/tenants/:tenant/who', who)
      api.get('/orders', requireScopes(...orderScopes), who)
      api.get('/get', get)

      const app = express()
      app.set('env', 'test')
      app.set('trust proxy', trustsProxy)
      app.use((_req, res, next) => {
        res.set(corsHeaders)
        next()
      })
      app.get('/bare', requireScopes(...orderScopes), who)
      app.get('/bare-get', get)
      app.use(mount, api)
      const showError: ErrorRequestHandler = (error, _req, res, _next) => {
        onError?.(error)
        res.status(errorStatus(error)).json(errorView(error))
      }
      if (showErrors) app.use(showError)

      const server = createServer(app).listen(0, '127.0.0.1')
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

// The types of 4 are the same for what is used here.
export const expressFour: Framework = expressFramework('Express 4', express4 as unknown as typeof express5)
export const expressFive: Framework = expressFramework('Express 5', express5)

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createStatusHandler as forExpress, type Registry } from '@jwks-auth/express'
import { createStatusHandler as forFastify } from '@jwks-auth/fastify'
import { createStatusHandler as forKoa } from '@jwks-auth/koa'
import express5, { type ErrorRequestHandler } from 'express'
import express4 from 'express4'
import { fastify } from 'fastify'
import Koa3 from 'koa'
import mount from 'koa-mount'
import Koa2 from 'koa2'

/** The options of a status handler, for any framework. */
export interface AppOptions {
  readonly authorize: (request: { readonly headers: object }) => boolean | Promise<boolean>
  readonly required?: readonly string[]
}

/** An application with a status handler at `/status` and an error handler that responds with 500 and `handled`. */
export interface StatusApp {
  readonly origin: string
  close(): Promise<void>
}

/** A framework with a status handler. */
export interface Framework {
  readonly name: string
  readonly createHandler: (registry: Registry, options: AppOptions) => unknown
  start(registry: Registry, options: AppOptions): Promise<StatusApp>
}

async function serve(listener: RequestListener): Promise<StatusApp> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function expressFramework(name: string, express: typeof express5): Framework {
  return {
    name,
    createHandler: forExpress,
    async start(registry, options) {
      const app = express()
      app.use('/status', forExpress(registry, options))
      const onError: ErrorRequestHandler = (_error, _req, res, _next) => {
        res.status(500).send('handled')
      }
      app.use(onError)
      return await serve(app)
    },
  }
}

function koaFramework(name: string, Koa: typeof Koa3): Framework {
  return {
    name,
    createHandler: forKoa,
    async start(registry, options) {
      const app = new Koa()
      app.use(async (ctx, next) => {
        try {
          await next()
        } catch {
          ctx.status = 500
          ctx.body = 'handled'
        }
      })
      app.use(mount('/status', forKoa(registry, options)))
      const callback = app.callback()
      return await serve((req, res) => void callback(req, res))
    },
  }
}

const fastifyFive: Framework = {
  name: 'Fastify 5',
  createHandler: forFastify,
  async start(registry, options) {
    const app = fastify({ forceCloseConnections: true })
    app.setErrorHandler((_error, _request, reply) => reply.code(500).send('handled'))
    app.post('/echo', (request) => request.body)
    await app.register(forFastify(registry, options), { prefix: '/status' })
    return { origin: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
  },
}

/** Every framework version that the adapters support; the types of the older ones are the same for what is used here. */
export const frameworks: readonly Framework[] = [
  expressFramework('Express 4', express4 as unknown as typeof express5),
  expressFramework('Express 5', express5),
  koaFramework('Koa 2', Koa2 as unknown as typeof Koa3),
  koaFramework('Koa 3', Koa3),
  fastifyFive,
]

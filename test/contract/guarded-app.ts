import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import * as ofExpress from '@jwks-auth/express'
import * as ofFastify from '@jwks-auth/fastify'
import * as ofFetch from '@jwks-auth/fetch'
import * as ofKoa from '@jwks-auth/koa'
import Router from '@koa/router'
import express5, { type RequestHandler } from 'express'
import express4 from 'express4'
import { fastify, type preHandlerHookHandler } from 'fastify'
import { Hono } from 'hono'
import Koa3, { type Middleware } from 'koa'
import Koa2 from 'koa2'
import { fetchListener } from './fetch-listener.ts'
import { portOf } from './protected-app.ts'

/** The guards of any adapter. */
export type GuardFactories = Pick<
  typeof ofExpress,
  'requireAnyScope' | 'requireAuth' | 'requireAuthentication' | 'requireClaims' | 'requireScopes'
>

/** The guards of each route, by its path. */
export type GuardedRoutes = (guards: GuardFactories) => Readonly<Record<string, readonly unknown[]>>

/** An API whose routes have guards; each answers `passed`. */
export interface GuardedApp {
  readonly framework: string
  readonly port: number
  close(): Promise<void>
}

type Start = (auth: ofExpress.JwksAuthOptions, routes: GuardedRoutes) => Promise<GuardedApp>

async function listen(listener: RequestListener): Promise<Server> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function close(server: Server, middleware: { close(): Promise<void> }): Promise<void> {
  server.closeAllConnections()
  server.close()
  await middleware.close()
}

function onExpress(framework: string, express: typeof express5): Start {
  return async (auth, routes) => {
    const authenticate = ofExpress.jwksAuth(auth)
    const app = express().set('env', 'test').use(authenticate)
    for (const [path, guards] of Object.entries(routes(ofExpress))) {
      app.get(path, ...(guards as RequestHandler[]), (_req, res) => {
        res.send('passed')
      })
    }
    const server = await listen(app)
    return { framework, port: portOf(server.address()), close: () => close(server, authenticate) }
  }
}

function onKoa(framework: string, Koa: typeof Koa3): Start {
  return async (auth, routes) => {
    const authenticate = ofKoa.jwksAuth(auth)
    const router = new Router()
    // The guards of Koa have the same names.
    for (const [path, guards] of Object.entries(routes(ofKoa as unknown as GuardFactories))) {
      router.get(path, ...(guards as Middleware[]), (ctx) => {
        ctx.body = 'passed'
      })
    }
    const app = new Koa()
    app.silent = true
    app.use(authenticate).use(router.routes())
    const answer = app.callback()
    const server = await listen((req, res) => void answer(req, res))
    return { framework, port: portOf(server.address()), close: () => close(server, authenticate) }
  }
}

const onFastify: Start = async (auth, routes) => {
  const app = fastify({ forceCloseConnections: true })
  await app.register(ofFastify.jwksAuth, auth)
  // The guards of Fastify have the same names.
  for (const [path, guards] of Object.entries(routes(ofFastify as unknown as GuardFactories))) {
    app.get(path, { preHandler: guards as preHandlerHookHandler[] }, async () => 'passed')
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { framework: 'Fastify 5', port: portOf(app.server.address()), close: () => app.close() }
}

const onHono: Start = async (auth, routes) => {
  const authenticate = ofFetch.protect(auth)
  const app = new Hono()
  // The guards of fetch handlers have the same names.
  for (const [path, guards] of Object.entries(routes(ofFetch as unknown as GuardFactories))) {
    const around = guards as readonly ofFetch.GuardedHandler[]
    const passed: ofFetch.FetchHandler = () => new Response('passed')
    const handler = authenticate(around.reduceRight((inner, guard) => guard(inner), passed))
    app.get(path, (c) => handler(c.req.raw))
  }
  app.onError((error, c) =>
    error instanceof ofFetch.RequestNotAuthenticatedError ? new Response(null, error) : c.text('failed', 500),
  )
  const server = await listen(fetchListener(app.fetch))
  return { framework: 'Hono 4', port: portOf(server.address()), close: () => close(server, authenticate) }
}

/** Every framework version, by name. */
export const guardedApps: readonly (readonly [framework: string, start: Start, guards: GuardFactories])[] = [
  ['Express 4', onExpress('Express 4', express4 as unknown as typeof express5), ofExpress],
  ['Express 5', onExpress('Express 5', express5), ofExpress],
  ['Koa 2', onKoa('Koa 2', Koa2 as unknown as typeof Koa3), ofKoa as unknown as GuardFactories],
  ['Koa 3', onKoa('Koa 3', Koa3), ofKoa as unknown as GuardFactories],
  ['Fastify 5', onFastify, ofFastify as unknown as GuardFactories],
  ['Hono 4', onHono, ofFetch as unknown as GuardFactories],
]

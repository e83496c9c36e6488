import { subscribe } from 'node:diagnostics_channel'
import { type Guard, guardsAmong } from '@jwks-auth/core/adapter'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Where the guards of a route are, in its `config`. */
const routeGuards: unique symbol = Symbol('guards of the route')

interface RouteConfig {
  readonly [routeGuards]?: readonly Guard[]
}

// Fastify publishes every application here as it is created: a request does not say which hooks its route has.
subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { readonly fastify: FastifyInstance }
  fastify.addHook('onRoute', (route) => {
    const { onRequest, preParsing, preValidation, preHandler } = route
    const guards = guardsAmong([onRequest, preParsing, preValidation, preHandler].flat())
    if (guards.length > 0) route.config = Object.assign({}, route.config, { [routeGuards]: guards })
  })
})

/** The guards among the hooks of a request's route, for applications that were created after this package was imported. */
export function guardsOfRoute({ routeOptions }: FastifyRequest): readonly Guard[] {
  const config: object = routeOptions.config
  return (config as RouteConfig)[routeGuards] ?? []
}

import { subscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'

/** A route in whose options a hook is present and `undefined`, as `onRequest: app.authenticate` is before there is one. */
interface UnsetHook {
  readonly scope: FastifyInstance
  readonly description: string
}

/** The hooks that `fastify.authenticate` may stand for. */
const hookNames = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const

/** The routes of each application, by its root instance. */
const unsetHooks = new WeakMap<object, UnsetHook[]>()

// Fastify publishes every application here as it is created. A plugin alone could not see the routes before it.
subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { readonly fastify: FastifyInstance }
  const found: UnsetHook[] = []
  unsetHooks.set(fastify, found)
  fastify.addHook('onRoute', function (route) {
    if (this.hasDecorator('authenticate')) return
    const name = hookNames.find((candidate) => isUnset(route, candidate))
    if (name !== undefined)
      found.push({ scope: this, description: `${name} of ${route.method.toString()} ${route.url}` })
  })
})

function isUnset(route: RouteOptions, name: (typeof hookNames)[number]): boolean {
  return Object.hasOwn(route, name) && route[name] === undefined
}

/**
 * Throws where a route was to opt in with `onRequest: fastify.authenticate` while there was no such hook, because the
 * plugin was registered later or in a scope within: Fastify takes `undefined` for no hook, and the route would be open.
 * It finds routes of applications that were created after this package was imported.
 *
 * @param scope where the plugin is registered; its outer scopes are checked, too
 * @param isGlobal the plugin guards the routes of its scope anyway
 */
export function refuseUnsetHooks(scope: FastifyInstance, isGlobal: boolean): void {
  const unset = outwards(scope).flatMap((instance) => unsetHooks.get(instance) ?? [])
  const open = unset.find((route) => outwards(scope).includes(route.scope) || outwards(route.scope).includes(scope))
  if (open === undefined || (isGlobal && outwards(open.scope).includes(scope))) return
  throw new Error(
    `${open.description} is undefined, so the route would be open: await the registration of jwksAuth before ` +
      'fastify.authenticate is used, or use the hook authenticate that @jwks-auth/fastify exports',
  )
}

/** An instance and the scopes around it, which Fastify makes its prototypes. */
function outwards(instance: object): readonly object[] {
  const outer: unknown = Object.getPrototypeOf(instance)
  return typeof outer === 'object' && outer !== null ? [instance, ...outwards(outer)] : [instance]
}

import {
  createRegistry,
  createStatusHandler,
  getAuth,
  jwksAuth,
  requireScopes,
  tenantFromHeader,
} from '@jwks-auth/fastify'
import { installDefaultExporter } from '@jwks-auth/prometheus'
import Fastify from 'fastify'
import { Registry } from 'prom-client'
import type { ProtectedApi, Tenants } from './protected-api.ts'

/** The API in Fastify. */
export async function startFastify(tenants: Tenants): Promise<ProtectedApi> {
  const app = Fastify()
  // The demo's providers are on loopback; elsewhere, leave `requireHttps` alone.
  const registry = createRegistry({ requireHttps: false })
  app.addHook('onClose', () => registry.close())
  // Outside of the scope that `jwksAuth` guards: operators have no token. Elsewhere, check who is asking.
  const status = createStatusHandler(registry, { authorize: () => true, required: ['acme/default'] })
  await app.register(status, { prefix: '/status' })
  // One process has three APIs here, so each has a register of its own.
  const exporter = installDefaultExporter(registry, { register: new Registry() })
  app.get('/metrics', async (_request, reply) => reply.type(exporter.contentType).send(await exporter.metrics()))
  await app.register(async (api) => {
    await api.register(jwksAuth, { registry, tenant: tenantFromHeader('x-tenant-id'), tenants })
    api.get('/whoami', (request) => {
      const { tenant, claims, scopes, header } = getAuth(request)
      return { tenant, client: claims['client_id'], scopes: [...scopes], key: header.kid }
    })
    api.get('/admin', { preHandler: requireScopes('admin') }, (request) => ({
      welcome: getAuth(request).claims.sub,
    }))
  })

  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { name: 'Fastify', url, statusUrl: `${url}/status`, registry, close: () => app.close() }
}

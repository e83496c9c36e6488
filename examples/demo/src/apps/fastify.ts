import { getAuth, jwksAuth, requireScopes, tenantFromHeader } from '@jwks-auth/fastify'
import Fastify from 'fastify'
import type { ProtectedApi, Tenants } from './protected-api.ts'

/** The API in Fastify. Closing the app closes the plugin's registry. */
export async function startFastify(tenants: Tenants): Promise<ProtectedApi> {
  const app = Fastify()
  // The demo's providers are on loopback; elsewhere, leave `requireHttps` alone.
  await app.register(jwksAuth, { tenant: tenantFromHeader('x-tenant-id'), tenants, requireHttps: false })
  app.get('/whoami', (request) => {
    const { tenant, claims, scopes, header } = getAuth(request)
    return { tenant, client: claims['client_id'], scopes: [...scopes], key: header.kid }
  })
  app.get('/admin', { preHandler: requireScopes('admin') }, (request) => ({
    welcome: getAuth(request).claims.sub,
  }))

  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { name: 'Fastify', url, registry: app.jwksAuth.registry, close: () => app.close() }
}

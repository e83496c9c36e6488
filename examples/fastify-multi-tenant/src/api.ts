import { getAuth, jwksAuth, type ProviderOptions, requireScopes, tenantFromHeader } from '@jwks-auth/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Database, findTenant, lockTenant } from './tenants.ts'

/**
 * An API whose tenants are in a database. The header `x-tenant-id` says which tenant a request is for, and the token must
 * come from that tenant's issuer.
 */
export async function createApi(database: Database, options: ProviderOptions = {}): Promise<FastifyInstance> {
  const fastify = Fastify()
  await fastify.register(jwksAuth, {
    tenant: tenantFromHeader('x-tenant-id'),
    tenants: (id: string) => findTenant(database, id),
    // How long a change in the database may take to be noticed.
    tenantCache: { ttl: 60_000 },
    ...options,
  })

  fastify.get('/whoami', async (request) => {
    const { tenant, claims } = getAuth(request)
    return { tenant, subject: claims.sub }
  })

  // A tenant's administrator locks it. Other processes notice it when `ttl` has passed.
  fastify.delete('/tenant', { preHandler: requireScopes('tenant:admin') }, async (request, reply) => {
    const { tenant } = getAuth(request)
    await lockTenant(database, tenant)
    fastify.jwksAuth.authenticator.invalidateTenant(tenant)
    return reply.code(204).send()
  })
  return fastify
}

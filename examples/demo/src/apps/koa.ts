import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type AuthState, createStatusHandler, getAuth, jwksAuth, requireScopes, tenantFromHeader } from '@jwks-auth/koa'
import { installDefaultExporter } from '@jwks-auth/prometheus'
import Koa from 'koa'
import mount from 'koa-mount'
import { Registry } from 'prom-client'
import type { ProtectedApi, Tenants } from './protected-api.ts'

/** The API in Koa, without a router: one middleware for each route. */
export async function startKoa(tenants: Tenants): Promise<ProtectedApi> {
  // The demo's providers are on loopback; elsewhere, leave `requireHttps` alone.
  const authenticate = jwksAuth({ tenant: tenantFromHeader('x-tenant-id'), tenants, requireHttps: false })
  const requireAdmin = requireScopes('admin')

  const { registry } = authenticate
  const app = new Koa<AuthState>()
  // Ahead of `authenticate`: operators have no token. The demo listens on loopback; elsewhere, check who is asking.
  app.use(mount('/status', createStatusHandler(registry, { authorize: () => true, required: ['acme/default'] })))
  // One process has three APIs here, so each has a register of its own.
  const exporter = installDefaultExporter(registry, { register: new Registry() })
  app.use(async (ctx, next) => {
    if (ctx.path === '/metrics') {
      ctx.type = exporter.contentType
      ctx.body = await exporter.metrics()
    } else await next()
  })
  app.use(authenticate)
  app.use(async (ctx, next) => {
    if (ctx.path === '/whoami') {
      const { tenant, claims, scopes, header } = getAuth(ctx)
      ctx.body = { tenant, client: claims['client_id'], scopes: [...scopes], key: header.kid }
    } else await next()
  })
  app.use(async (ctx, next) => {
    if (ctx.path === '/admin') {
      await requireAdmin(ctx, async () => {
        ctx.body = { welcome: getAuth(ctx).claims.sub }
      })
    } else await next()
  })

  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.close()
    await authenticate.close()
  }
  const url = `http://127.0.0.1:${port}`
  return { name: 'Koa', url, statusUrl: `${url}/status`, registry, close }
}

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createStatusHandler, getAuth, jwksAuth, requireScopes, tenantFromHeader } from '@jwks-auth/express'
import { installDefaultExporter } from '@jwks-auth/prometheus'
import express from 'express'
import { Registry } from 'prom-client'
import type { ProtectedApi, Tenants } from './protected-api.ts'

/** The API in Express. */
export async function startExpress(tenants: Tenants): Promise<ProtectedApi> {
  // The demo's providers are on loopback; elsewhere, leave `requireHttps` alone.
  const authenticate = jwksAuth({ tenant: tenantFromHeader('x-tenant-id'), tenants, requireHttps: false })

  const { registry } = authenticate
  const app = express()
  // Ahead of `authenticate`: operators have no token. The demo listens on loopback; elsewhere, check who is asking.
  app.use('/status', createStatusHandler(registry, { authorize: () => true, required: ['acme/default'] }))
  // One process has three APIs here, so each has a register of its own.
  const exporter = installDefaultExporter(registry, { register: new Registry() })
  app.get('/metrics', exporter.handler)
  app.use(authenticate)
  app.get('/whoami', (req, res) => {
    const { tenant, claims, scopes, header } = getAuth(req)
    res.json({ tenant, client: claims['client_id'], scopes: [...scopes], key: header.kid })
  })
  app.get('/admin', requireScopes('admin'), (req, res) => {
    res.json({ welcome: getAuth(req).claims.sub })
  })

  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async (): Promise<void> => {
    server.close()
    await authenticate.close()
  }
  const url = `http://127.0.0.1:${port}`
  return { name: 'Express', url, statusUrl: `${url}/status`, registry, close }
}

import { request as sendRequest } from 'node:http'
import {
  getAuth,
  protect,
  type TenantResolver,
  tenantFromHeader,
  tenantFromHost,
  tenantFromPath,
} from '@jwks-auth/fetch'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { audience, useWorld } from './world.ts'

const world = useWorld()
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

/** Serves an API of two tenants, of which the token is of `acme`. */
async function start(tenant: TenantResolver): Promise<string> {
  const tenants = { acme: { issuer: world.issuer.issuer }, globex: { issuer: 'http://127.0.0.1:9' } }
  const auth = protect({ tenant, tenants, audience, requireHttps: false })
  closing.push(() => auth.close())
  const who = auth((request) => new Response(getAuth(request).tenant))
  return await world.listen(new Hono().all('*', (c) => who(c.req.raw)).fetch)
}

/** Sends a request with the token, its target and header lines as they are; resolves to the tenant or the status. */
function ask(origin: string, path: string, headers: readonly string[] = []): Promise<string | number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin)
    const lines = ['authorization', world.authorization, ...headers]
    if (!headers.includes('host')) lines.push('host', 'api.example')
    sendRequest({ hostname, port, path, headers: lines }, (response) => {
      response.setEncoding('utf8')
      let body = ''
      response.on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve(response.statusCode === 200 ? body : (response.statusCode ?? 0)))
    })
      .on('error', reject)
      .end()
  })
}

describe('the tenant of a request on Node', () => {
  it('comes from the host of its URL', async () => {
    const origin = await start(tenantFromHost(':tenant.api.example'))
    expect(await ask(origin, '/', ['host', 'acme.api.example'])).toBe('acme')
    expect(await ask(origin, '/', ['host', 'ACME.api.example:8443'])).toBe('acme')
    expect(await ask(origin, '/', ['host', 'globex.api.example'])).toBe(401)
    expect(await ask(origin, '/', ['host', 'api.example'])).toBe(401)
  })

  it.each(['acme.api.example, globex.api.example', 'someone@acme.api.example', 'acme.api.example/x'])(
    'does not come from the host %j',
    async (host) => {
      const origin = await start(tenantFromHost(':tenant.api.example'))
      expect([400, 401]).toContain(await ask(origin, '/', ['host', host]))
    },
  )

  it('ignores X-Forwarded-Host', async () => {
    const origin = await start(tenantFromHost(':tenant.api.example'))
    expect(await ask(origin, '/', ['host', 'api.example', 'x-forwarded-host', 'acme.api.example'])).toBe(401)
  })

  it('comes from the path as the router sees it, dot segments removed', async () => {
    const origin = await start(tenantFromPath('/tenants/:tenant'))
    expect(await ask(origin, '/tenants/acme/who?tenant=globex')).toBe('acme')
    expect(await ask(origin, '/x/../tenants/acme/who')).toBe('acme')
    expect(await ask(origin, '/tenants/acme/../globex/who')).toBe(401)
    expect(await ask(origin, '/tenants/acme/%2e%2e/globex/who')).toBe(401)
    expect(await ask(origin, '/tenants/acme%2fwho')).toBe(401)
  })

  it('does not come from a header that came twice', async () => {
    const origin = await start(tenantFromHeader('x-tenant'))
    expect(await ask(origin, '/', ['x-tenant', 'acme'])).toBe('acme')
    expect(await ask(origin, '/', ['x-tenant', 'acme', 'x-tenant', 'acme'])).toBe(401)
  })
})

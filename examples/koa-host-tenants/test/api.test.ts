import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApi } from '../src/api.ts'

const audience = 'https://api.example.com'

async function startIssuer(): Promise<TestIssuer> {
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  onTestFinished(() => issuer.close())
  return issuer
}

async function start() {
  const [acme, okta, entra] = [await startIssuer(), await startIssuer(), await startIssuer()]
  const { app, authenticate } = createApi({
    audience,
    requireHttps: false,
    tenants: {
      acme: { issuer: acme.issuer },
      globex: { providers: { okta: { issuer: okta.issuer }, entra: { issuer: entra.issuer } } },
    },
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await authenticate.close()
  })
  const { port } = server.address() as AddressInfo
  async function call(host: string, token: string, path = '/whoami'): Promise<{ status?: number; body: unknown }> {
    const request = get({ port, path, headers: { host, authorization: `Bearer ${token}` } })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return { status: response.statusCode ?? 0, body: await json(response) }
  }
  return { acme, okta, entra, call }
}

describe('the API in Koa with a host name for each tenant', () => {
  it('accepts the tokens of the tenant that the host names, from each of its providers', async () => {
    const { acme, okta, entra, call } = await start()
    const ofAcme = { tenant: 'acme', provider: 'default', subject: 'user-1' }
    expect(await call('acme.api.example.com', await acme.sign())).toEqual({ status: 200, body: ofAcme })
    expect(await call('ACME.api.example.com:8443', await acme.sign())).toEqual({ status: 200, body: ofAcme })
    const [ofOkta, ofEntra] = [await okta.sign(), await entra.sign()]
    expect(await call('globex.api.example.com', ofOkta)).toMatchObject({ body: { provider: 'okta' } })
    expect(await call('globex.api.example.com', ofEntra)).toMatchObject({ body: { provider: 'entra' } })
  })

  it('refuses the tokens of another tenant, and hosts without a tenant, with one sentence', async () => {
    const { acme, call } = await start()
    const token = await acme.sign()
    const hosts = ['globex.api.example.com', 'initech.api.example.com', 'a.acme.api.example.com', 'evil.example']
    const refusals = await Promise.all(hosts.map((host) => call(host, token)))
    expect(new Set(refusals.map((refusal) => JSON.stringify(refusal))).size).toBe(1)
    expect(refusals[0]).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
  })

  it('requires one of the scopes of a route', async () => {
    const { acme, call } = await start()
    const statusWith = async (scope: string) =>
      (await call('acme.api.example.com', await acme.sign({ scope }), '/reports')).status
    expect(await statusWith('reports:read')).toBe(200)
    expect(await statusWith('admin')).toBe(200)
    expect(await statusWith('orders:read')).toBe(403)
  })
})

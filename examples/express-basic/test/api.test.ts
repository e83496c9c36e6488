import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApi } from '../src/api.ts'

const audience = 'https://api.example.com'

async function start(): Promise<{
  issuer: TestIssuer
  call(path: string, token?: string, article?: string): Promise<Response>
}> {
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  const { app, authenticate } = createApi({ issuer: issuer.issuer, audience, requireHttps: false })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await authenticate.close()
    await issuer.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    issuer,
    call: (path, token, article) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: article === undefined ? 'GET' : 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(article === undefined ? {} : { body: JSON.stringify({ article }) }),
      }),
  }
}

describe('the API in Express', () => {
  it('serves each customer their own orders', async () => {
    const { issuer, call } = await start()
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map((sub) => issuer.sign({ sub, scope: 'orders:read orders:write' })),
    )
    expect((await call('/orders', ann, 'lamp')).status).toBe(201)
    expect(await (await call('/orders', ann)).json()).toEqual([{ id: 1, article: 'lamp', customer: 'ann' }])
    expect(await (await call('/orders', bob)).json()).toEqual([])
  })

  it('requires a token, and the scope of the route', async () => {
    const { issuer, call } = await start()
    expect((await call('/health')).status).toBe(200)
    expect((await call('/orders')).status).toBe(401)
    const reader = await issuer.sign({ scope: 'orders:read' })
    expect((await call('/orders', reader)).status).toBe(200)
    const refused = await call('/orders', reader, 'lamp')
    expect(refused.status).toBe(403)
    expect(refused.headers.get('www-authenticate')).toContain('scope="orders:write"')
  })

  it('keeps working while the issuer is down, and accepts a new key afterwards', async () => {
    const { issuer, call } = await start()
    const token = await issuer.sign({ scope: 'orders:read' })
    expect((await call('/orders', token)).status).toBe(200)
    await issuer.stop()
    expect((await call('/orders', await issuer.sign({ sub: 'other', scope: 'orders:read' }))).status).toBe(200)
    await issuer.start()
    await issuer.rotate()
    expect((await call('/orders', await issuer.sign({ scope: 'orders:read' }))).status).toBe(200)
  })
})

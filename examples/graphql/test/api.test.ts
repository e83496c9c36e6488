import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAuthenticator } from '@jwks-auth/core'
import { createTestIssuer } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApi } from '../src/api.ts'

const audience = 'https://api.example.com'

async function start() {
  const issuer = await createTestIssuer({ algorithm: 'ES256', audience })
  const authenticator = createAuthenticator({
    issuer: issuer.issuer,
    audience,
    requireHttps: false,
    retryPolicy: { maxRetries: 0 },
  })
  const server = createServer(createApi(authenticator)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await authenticator.close()
    await issuer.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`
  const post = (query: string, token?: string) =>
    fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query }),
    })
  return { issuer, url, post, query: async (query: string, token: string) => (await post(query, token)).json() }
}

describe('the GraphQL API', () => {
  it('knows who is asking, and serves each customer their own orders', async () => {
    const { issuer, query } = await start()
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map((sub) => issuer.sign({ sub, scope: 'orders:read orders:write' })),
    )
    expect(await query('mutation { order(article: "lamp") }', ann ?? '')).toEqual({ data: { order: ['lamp'] } })
    expect(await query('{ me orders }', ann ?? '')).toEqual({ data: { me: 'default/ann', orders: ['lamp'] } })
    expect(await query('{ me orders }', bob ?? '')).toEqual({ data: { me: 'default/bob', orders: [] } })
  })

  it('serves the fields that the scopes of a token allow', async () => {
    const { issuer, query } = await start()
    expect(await query('{ me orders }', await issuer.sign())).toMatchObject({
      data: { me: 'default/user-1', orders: null },
      errors: [{ path: ['orders'], extensions: { code: 'FORBIDDEN', scope: 'orders:read' } }],
    })
  })

  it.each([
    ['without a token', undefined, 401],
    ['with a bad token', 'x.y.z', 401],
  ])('refuses a request %s before its query is read', async (_, token, status) => {
    const { post } = await start()
    for (const query of ['{ __schema { types { name } } }', 'no query']) {
      const response = await post(query, token)
      expect(response.status).toBe(status)
      expect(response.headers.get('www-authenticate')).toContain('Bearer')
    }
  })

  it('refuses a request with two Authorization headers', async () => {
    const { issuer, url } = await start()
    const token = await issuer.sign()
    const request = httpRequest(url, {
      method: 'POST',
      headers: ['authorization', `Bearer ${token}`, 'authorization', `Bearer ${token}`],
    })
    request.end('{}')
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    expect(response.statusCode).toBe(400)
  })

  it('answers 503 while keys cannot be fetched', async () => {
    const { issuer, post } = await start()
    const token = await issuer.sign()
    await issuer.stop()
    const response = await post('{ me }', token)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it('lets preflight requests of browsers pass', async () => {
    const { url } = await start()
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' }
    const response = await fetch(url, { method: 'OPTIONS', headers })
    expect(response.ok).toBe(true)
  })
})

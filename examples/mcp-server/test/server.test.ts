import { createMcpAuth } from '@jwks-auth/mcp'
import { createTestIssuer, type TestIssuer, type TokenClaims } from '@jwks-auth/testing'
import {
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
} from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import type { OAuthTokenVerifier } from '@modelcontextprotocol/sdk/server/auth/provider.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../src/server.ts'

let issuer: TestIssuer
let server: RunningServer

beforeEach(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256' })
  server = await startServer({
    issuer: issuer.issuer,
    requireHttps: false,
    retryPolicy: { maxRetries: 0 },
    requiredScopes: ['mcp:use'],
    impliedScopes: { 'mcp:admin': ['mcp:use'] },
  })
})
afterEach(async () => {
  await server.close()
  await issuer.close()
})

function sign(claims: TokenClaims = {}): Promise<string> {
  return issuer.sign({ aud: server.url, client_id: 'client-1', scope: 'mcp:use', ...claims })
}

/** Calls the tool with the client of the SDK. */
async function whoami(token: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` }
  const transport = new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport)
  try {
    const { content } = (await client.callTool({ name: 'whoami' })) as { content: { text: string }[] }
    return JSON.parse(content[0]?.text ?? '')
  } finally {
    await client.close()
  }
}

/** Sends a request as a client without the SDK. */
function post(token?: string): Promise<Response> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return fetch(server.url, {
    method: 'POST',
    headers: { ...authorization, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
  })
}

describe('the example server, with the client of the SDK', () => {
  it('passes the client and the scopes of a good token to its tool', async () => {
    expect(await whoami(await sign())).toEqual({ clientId: 'client-1', scopes: ['mcp:use'] })
  })

  it('accepts a scope that implies the required one', async () => {
    expect(await whoami(await sign({ scope: 'mcp:admin' }))).toEqual({
      clientId: 'client-1',
      scopes: ['mcp:admin', 'mcp:use'],
    })
  })

  it('refuses a token for another server', async () => {
    const token = await sign({ aud: 'https://other.example/mcp' })
    await expect(whoami(token)).rejects.toThrow('The access token is not valid for this request.')
    expect((await post(token)).status).toBe(401)
  })

  it('tells a client without a token where the metadata is, and which scopes it needs', async () => {
    const response = await post()
    expect(response.status).toBe(401)
    const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(response)
    expect(scope).toBe('mcp:use')
    if (resourceMetadataUrl === undefined) throw new Error('the challenge names no metadata')
    const metadata = await discoverOAuthProtectedResourceMetadata(server.url, { resourceMetadataUrl })
    expect(metadata).toMatchObject({
      resource: server.url,
      authorization_servers: [issuer.issuer],
      scopes_supported: ['mcp:use'],
    })
  })

  it('names the scopes that a token lacks in a 403', async () => {
    const response = await post(await sign({ scope: 'other' }))
    expect(response.status).toBe(403)
    expect(extractWWWAuthenticateParams(response)).toMatchObject({ error: 'insufficient_scope', scope: 'mcp:use' })
  })

  it('answers 503 while the keys cannot be fetched, so that clients keep their tokens', async () => {
    const token = await sign()
    await issuer.stop()
    const response = await post(token)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(response.headers.get('www-authenticate')).toBeNull()
  })
})

describe('the verifier', () => {
  it('is one of the SDK by its types, too', async () => {
    const auth = createMcpAuth({ issuer: issuer.issuer, resource: server.url, requireHttps: false })
    const verifier: OAuthTokenVerifier = auth.tokenVerifier(errors)
    expect(await verifier.verifyAccessToken(await sign())).toMatchObject({ clientId: 'client-1' })
    await expect(verifier.verifyAccessToken('forged')).rejects.toBeInstanceOf(errors.InvalidTokenError)
    await auth.close()
  })
})

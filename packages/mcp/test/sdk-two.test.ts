import { createMcpAuth } from '@jwks-auth/mcp'
import { createTestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

interface SdkTwo {
  readonly OAuthError: new (code: string, message: string) => Error
  requireBearerAuth(options: object): (request: Request) => Promise<object | Response>
}

// By a variable: the types of the SDK need those of a browser.
const name: string = '@modelcontextprotocol/server'
const { OAuthError, requireBearerAuth }: SdkTwo = await import(name)
const resource = 'https://mcp.example/mcp'

describe('tokenVerifier, in requireBearerAuth of SDK 2.x', () => {
  it('accepts, refuses, and is no 401 in an outage', async () => {
    const issuer = await createTestIssuer({ algorithm: 'ES256' })
    const down = await createTestIssuer({ algorithm: 'ES256' })
    const tenants = { up: { issuer: issuer.issuer }, down: { issuer: down.issuer } }
    const auth = createMcpAuth({
      resource,
      tenants,
      authorizationServers: [issuer.issuer, down.issuer],
      impliedScopes: { admin: ['use'] },
      requireHttps: false,
      retryPolicy: { maxRetries: 0 },
    })
    const gate = requireBearerAuth({
      verifier: auth.tokenVerifier({ OAuthError }),
      requiredScopes: ['use'],
      expectedResource: new URL(resource),
    })
    const ask = async (token: string): Promise<unknown> => {
      const result = await gate(new Request(resource, { headers: { authorization: `Bearer ${token}` } }))
      return result instanceof Response ? [result.status, ((await result.json()) as { error: string }).error] : result
    }
    const downToken = await down.sign({ aud: resource })
    await down.stop()
    expect(await ask(await issuer.sign({ aud: resource, scope: 'admin', client_id: 'c' }))).toMatchObject({
      clientId: 'c',
      scopes: ['admin', 'use'],
      extra: { tenant: 'up' },
    })
    expect(await ask(await issuer.sign({ aud: resource, scope: 'other' }))).toEqual([403, 'insufficient_scope'])
    expect(await ask(await issuer.sign({ aud: 'https://other.example' }))).toEqual([401, 'invalid_token'])
    expect(await ask(downToken)).toEqual([500, 'server_error'])
    await Promise.all([auth.close(), issuer.close(), down.close()])
  })
})

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AuthInfo, createMcpAuth, type McpAuth, type McpAuthOptions } from '@jwks-auth/mcp'
import { createTestIssuer, type TestIssuer, type TokenClaims } from '@jwks-auth/testing'
import * as errorsOfOne from '@modelcontextprotocol/sdk/server/auth/errors.js'
import express from 'express'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

// By a variable: its types and those of @jwks-auth/express declare different types of `req.auth`.
const bearerAuth: string = '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
const { requireBearerAuth }: { requireBearerAuth(options: object): express.RequestHandler } = await import(bearerAuth)

const resource = 'https://mcp.example/mcp'
const metadataUrl = 'https://mcp.example/.well-known/oauth-protected-resource/mcp'
let issuer: TestIssuer
const closing: (() => unknown)[] = []

beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256' })
})
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})
afterAll(() => issuer.close())

/** Authorization for one issuer, closed after the test. */
function start(more: object = {}): McpAuth {
  const retryPolicy = { maxRetries: 0 }
  const options = { issuer: issuer.issuer, resource, requireHttps: false, retryPolicy, ...more }
  const auth = createMcpAuth(options as McpAuthOptions<never>) as McpAuth
  closing.push(() => auth.close())
  return auth
}

function sign(claims: TokenClaims = {}): Promise<string> {
  return issuer.sign({ aud: resource, client_id: 'client-1', scope: 'a', ...claims })
}

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An API that responds with `req.auth`. */
function apiBehind(...handlers: express.RequestHandler[]): Promise<string> {
  const app = express()
  app.set('env', 'test').use(...handlers)
  app.use((req, res) => {
    res.json(Reflect.get(req, 'auth') ?? null)
  })
  return listen(app)
}

function bearing(token: string): RequestInit {
  return { headers: { authorization: `Bearer ${token}` } }
}

describe('requireBearerAuth', () => {
  it('sets req.auth as the SDK has it', async () => {
    const auth = start({ impliedScopes: { a: ['b'] } })
    const exp = Math.floor(Date.now() / 1000) + 300
    const token = await sign({ exp })
    const response = await fetch(await apiBehind(auth.requireBearerAuth), bearing(token))
    const info = (await response.json()) as AuthInfo
    expect(info).toMatchObject({ token, clientId: 'client-1', scopes: ['a', 'b'], expiresAt: exp, resource })
    expect(info).toMatchObject({
      resourceMetadataUrl: metadataUrl,
      extra: { tenant: 'default', claims: { aud: resource } },
    })
  })

  it.each([
    [{ client_id: undefined, azp: 'by-azp' }, 'by-azp'],
    [{ client_id: undefined, cid: 'by-cid' }, 'by-cid'],
    [{ client_id: undefined, appid: 'by-appid' }, 'by-appid'],
    [{ client_id: undefined }, ''],
  ])('finds the client in %j', async (claims, clientId) => {
    const response = await fetch(await apiBehind(start().requireBearerAuth), bearing(await sign(claims)))
    expect(await response.json()).toMatchObject({ clientId })
  })

  it('names scopes and metadata in 401 and 403 challenges', async () => {
    const url = await apiBehind(start({ requiredScopes: ['a', 'b'] }).requireBearerAuth)
    const challenge = async (init?: RequestInit) => {
      const { status, headers } = await fetch(url, init)
      return [status, headers.get('www-authenticate')]
    }
    const ending = `scope="a b", resource_metadata="${metadataUrl}"`
    expect(await challenge()).toEqual([401, `Bearer realm="api", ${ending}`])
    expect(await challenge(bearing(await sign({ aud: 'https://other.example' })))).toEqual([
      401,
      expect.stringMatching(/error="invalid_token".*scope="a b"/),
    ])
    expect(await challenge(bearing(await sign()))).toEqual([
      403,
      expect.stringContaining(
        `error="insufficient_scope", error_description="The access token lacks a scope that this request requires.", ${ending}`,
      ),
    ])
    expect((await challenge(bearing(await sign({ scope: 'a b' }))))[0]).toBe(200)
  })

  it('answers 503 where the keys cannot be fetched', async () => {
    const down = await createTestIssuer({ algorithm: 'ES256' })
    closing.push(() => down.close())
    const token = await down.sign({ aud: resource })
    await down.stop()
    const response = await fetch(await apiBehind(start({ issuer: down.issuer }).requireBearerAuth), bearing(token))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it('passes refusals to the error handler with passErrors, and what a callback throws always', async () => {
    const seen: unknown[] = []
    const observe: express.ErrorRequestHandler = (error, _req, res, _next) => {
      seen.push(error)
      res.status(418).end()
    }
    const broken = () => {
      throw new RangeError('broken')
    }
    for (const more of [{ passErrors: true }, { isRevoked: broken }]) {
      const app = express().use(start(more).requireBearerAuth, observe)
      const init = 'passErrors' in more ? {} : bearing(await sign())
      expect((await fetch(await listen(app), init)).status).toBe(418)
    }
    expect(seen).toEqual([expect.objectContaining({ status: 401, code: 'unauthorized' }), new RangeError('broken')])
  })

  it('lets a request without a token pass where none is required, unless scopes are', async () => {
    const open = await apiBehind(start({ credentialsRequired: false }).requireBearerAuth)
    expect(await (await fetch(open)).json()).toBeNull()
    const scoped = await apiBehind(start({ credentialsRequired: false, requiredScopes: ['a'] }).requireBearerAuth)
    expect((await fetch(scoped)).status).toBe(401)
  })
})

describe('the metadata of the server', () => {
  it('is served on Node, and other requests pass', async () => {
    const url = await apiBehind(start({ requiredScopes: ['a'], metadata: { resourceName: 'Example' } }).serveMetadata)
    const response = await fetch(url + new URL(metadataUrl).pathname)
    expect(await response.json()).toEqual({
      resource,
      authorization_servers: [issuer.issuer],
      scopes_supported: ['a'],
      bearer_methods_supported: ['header'],
      resource_name: 'Example',
    })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(await (await fetch(`${url}/mcp`)).json()).toBeNull()
  })

  it('is served for fetch requests', async () => {
    const auth = start()
    const response = auth.metadataResponse(new Request(auth.metadataUrl))
    expect(await response?.json()).toMatchObject({ resource })
    expect(auth.metadataResponse(new Request(auth.metadataUrl, { method: 'OPTIONS' }))?.status).toBe(204)
    expect(auth.metadataResponse(new Request(resource))).toBeUndefined()
  })
})

describe('authenticateRequest', () => {
  it('returns what the SDK needs, or the response', async () => {
    const auth = start({ requiredScopes: ['a'] })
    const ask = (init: RequestInit) => auth.authenticateRequest(new Request(resource, init))
    expect(await ask(bearing(await sign()))).toMatchObject({ ok: true, authInfo: { clientId: 'client-1' } })
    for (const [init, status] of [
      [{}, 401],
      [bearing(await sign({ scope: 'other' })), 403],
    ] as const) {
      const outcome = await ask(init)
      expect(!outcome.ok && outcome.response.status).toBe(status)
    }
  })
})

describe('tokenVerifier, in requireBearerAuth of SDK 1.x', () => {
  async function statusOf(auth: McpAuth, token: string): Promise<readonly unknown[]> {
    const verifier = auth.tokenVerifier(errorsOfOne)
    const expectedResource = new URL(resource)
    const middleware = requireBearerAuth({ verifier, requiredScopes: ['b'], expectedResource })
    const { status, headers } = await fetch(await apiBehind(middleware), bearing(token))
    return [status, /error="(\w+)"/.exec(headers.get('www-authenticate') ?? '')?.[1]]
  }

  it('accepts, refuses and checks scopes with those that are implied', async () => {
    const auth = start({ impliedScopes: { a: ['b'] } })
    expect(await statusOf(auth, await sign())).toEqual([200, undefined])
    expect(await statusOf(auth, await sign({ scope: 'other' }))).toEqual([403, 'insufficient_scope'])
    expect(await statusOf(auth, await sign({ aud: 'https://other.example' }))).toEqual([401, 'invalid_token'])
    expect(await statusOf(auth, 'forged')).toEqual([401, 'invalid_token'])
  })

  it('is no 401 in an outage', async () => {
    const down = await createTestIssuer({ algorithm: 'ES256' })
    closing.push(() => down.close())
    const token = await down.sign({ aud: resource })
    await down.stop()
    expect(await statusOf(start({ issuer: down.issuer }), token)).toEqual([500, undefined])
  })
})

describe('createMcpAuth', () => {
  it.each([
    [{ resource: 'mcp' }, 'resource'],
    [{ resource: undefined }, 'resource'],
    [{ property: 'client' }, 'property'],
    [{ requiredScopes: ['a b'] }, 'scope'],
    [{ passError: true }, 'passErrors'],
    [{ metadata: { resourceNam: 'x' } }, 'resourceName'],
    [{ issuer: undefined, tenants: {} }, 'authorizationServers'],
  ])('throws a TypeError for %j', (more, name) => {
    expect(() => start(more)).toThrow(TypeError)
    expect(() => start(more)).toThrow(name)
  })

  it('throws a TypeError for errors that are not those of the SDK', () => {
    expect(() => start().tokenVerifier({} as never)).toThrow(TypeError)
    expect(() => start().tokenVerifier({ InvalidTokenError: Error } as never)).toThrow(TypeError)
  })
})

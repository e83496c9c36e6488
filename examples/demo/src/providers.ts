import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createOpenIdProvider, generateKey, type SigningAlgorithm } from './openid-provider.ts'

/** What the demo's tokens are for. */
export const audience = 'https://api.example.com'

/** A tenant's provider on loopback. */
export interface TenantProvider {
  /** The tenant whose provider it is. */
  readonly tenant: string
  /** What it signs with. */
  readonly algorithm: SigningAlgorithm
  /** Its issuer identifier, all that an API needs to know of it. */
  readonly issuer: string
  /** The client that gets tokens from it. */
  readonly client: { readonly id: string; readonly secret: string }
  /** How many requests its JWKS endpoint has received. */
  jwksRequests(): number
  /** For how many seconds it allows its key set to be kept from now on. At first 300. */
  setJwksMaxAge(seconds: number): void
  /** A new access token with the scopes asked for, by client credentials (RFC 6749 §4.4). */
  getToken(scope: string): Promise<string>
  /** Signs with a new key from now on. The keys that signed so far stay published. */
  rotate(): Promise<void>
  /** Refuses connections, after cutting those that there are. */
  stop(): Promise<void>
  /** Listens again where it did before. */
  start(): Promise<void>
}

/** Starts a tenant's provider, with one key that is named after the tenant: `acme-1`. */
export async function startProvider(tenant: string, algorithm: SigningAlgorithm): Promise<TenantProvider> {
  const client = { id: `${tenant}-client`, secret: `${tenant}-secret` }
  const keys = [await generateKey(algorithm, `${tenant}-1`)]
  let jwksRequests = 0
  let jwksMaxAge = 300

  // The issuer has a port in it, so the server listens before there is a provider behind it.
  let listener: RequestListener = (_, response) => response.writeHead(503).end()
  const server = createServer((request, response) => {
    if (request.url === '/jwks') {
      jwksRequests += 1
      response.setHeader('cache-control', `public, max-age=${jwksMaxAge}`)
    }
    listener(request, response)
  })
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}`

  const mount = async (): Promise<void> => {
    const api = { audience, scope: 'read admin' }
    listener = await createOpenIdProvider({ issuer, algorithm, keys: [...keys], client, api })
  }
  await mount()

  return {
    tenant,
    algorithm,
    issuer,
    client,
    jwksRequests: () => jwksRequests,
    setJwksMaxAge: (seconds) => {
      jwksMaxAge = seconds
    },
    getToken: (scope) => getToken(issuer, client, scope),
    async rotate() {
      keys.unshift(await generateKey(algorithm, `${tenant}-${keys.length + 1}`))
      await mount()
    },
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    start: () => listen(port),
  }
}

async function getToken(issuer: string, { id, secret }: TenantProvider['client'], scope: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`${issuer} granted no token: ${response.status} ${await response.text()}`)
  const body: unknown = await response.json()
  if (typeof body === 'object' && body !== null && 'access_token' in body && typeof body.access_token === 'string') {
    return body.access_token
  }
  throw new Error(`${issuer} answered without a token`)
}

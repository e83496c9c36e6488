import { generateKeyPair } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { Adapter, Configuration, JWK, Provider } from 'oidc-provider'

/** An algorithm that the provider can sign with. */
export type SigningAlgorithm = 'RS256' | 'ES256'

/** A real oidc-provider on 127.0.0.1. */
export interface OpenIdProvider {
  readonly issuer: string
  /** How many requests there were to a path, such as `/jwks`. */
  requestCount(path: string): number
  /** An access token by client credentials. */
  getToken(): Promise<string>
  /** Signs with a new key; the old ones stay published, or do not. */
  rotate(options: { readonly keepPrevious: boolean }): Promise<void>
  /** Cuts connections and refuses new ones. */
  stop(): Promise<void>
}

export const audience = 'https://api.example.com'
export const jwksMaxAgeSeconds = 300
const client = { id: 'client', secret: 'secret' }
const generate = promisify(generateKeyPair)

/** Starts a provider whose first key is called `key-1`. */
export async function startOpenIdProvider(algorithm: SigningAlgorithm): Promise<OpenIdProvider> {
  const requests: string[] = []
  let keys = [await generateKey(algorithm, 'key-1')]
  let listener: RequestListener = (_, response) => response.writeHead(503).end()
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    if (request.url === '/jwks') response.setHeader('cache-control', `max-age=${jwksMaxAgeSeconds}`)
    listener(request, response)
  })
  // The issuer has a port in it, so the server listens before there is a provider behind it.
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const mount = async (): Promise<void> => {
    const OidcProvider = await importProvider()
    const callback = new OidcProvider(issuer, configurationOf(algorithm, keys)).callback()
    listener = (request, response) => void callback(request, response)
  }
  await mount()

  return {
    issuer,
    requestCount: (path) => requests.filter((url) => url === path).length,
    async getToken() {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read' }),
      })
      const body = (await response.json()) as { access_token?: string }
      if (body.access_token === undefined) throw new Error(`no token: ${JSON.stringify(body)}`)
      return body.access_token
    },
    async rotate({ keepPrevious }) {
      const next = Number(keys[0]?.kid?.split('-')[1]) + 1
      keys = [await generateKey(algorithm, `key-${next}`), ...(keepPrevious ? keys : [])]
      await mount()
    },
    async stop() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function generateKey(algorithm: SigningAlgorithm, kid: string): Promise<JWK> {
  const { privateKey } = await (algorithm === 'RS256'
    ? generate('rsa', { modulusLength: 2048 })
    : generate('ec', { namedCurve: 'P-256' }))
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), kid, alg: algorithm, use: 'sig' }
}

function configurationOf(algorithm: SigningAlgorithm, keys: readonly JWK[]): Configuration {
  return {
    jwks: { keys },
    adapter: () => storeNothing,
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        id_token_signed_response_alg: algorithm,
      },
    ],
    scopes: ['read'],
    ttl: { ClientCredentials: 3600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // Without a resource, access tokens are opaque.
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'read',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: algorithm, kid: keys[0]?.kid } },
        }),
      },
    },
  }
}

/** JWT access tokens are not stored, the client is configured, and there is no login. */
const storeNothing: Adapter = {
  upsert: async () => {},
  find: async () => undefined,
  findByUserCode: async () => undefined,
  findByUid: async () => undefined,
  consume: async () => {},
  destroy: async () => {},
  revokeByGrantId: async () => {},
}

/** On Node versions that are no later LTS it warns when imported, and works; no option turns that one warning off. */
async function importProvider(): Promise<typeof Provider> {
  const { warn } = console
  console.warn = (...data: unknown[]) => {
    if (!String(data[0]).includes('oidc-provider WARNING: Unsupported runtime')) warn(...data)
  }
  try {
    return (await import('oidc-provider')).Provider
  } finally {
    console.warn = warn
  }
}

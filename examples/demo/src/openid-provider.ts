import { generateKeyPair } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { promisify } from 'node:util'
import type { Adapter, Configuration, JWK, Provider } from 'oidc-provider'

/** What a provider signs with. */
export type SigningAlgorithm = 'RS256' | 'ES256'

/** What an OpenID provider is made of. */
export interface OpenIdProviderOptions {
  /** Its issuer identifier. */
  readonly issuer: string
  /** The algorithm of its keys. */
  readonly algorithm: SigningAlgorithm
  /** Its private keys; the first one signs, all are published. */
  readonly keys: readonly JWK[]
  /** The one client that gets tokens from it. */
  readonly client: { readonly id: string; readonly secret: string }
  /** What its tokens are for: the audience, and the scopes that can be asked for. */
  readonly api: { readonly audience: string; readonly scope: string }
}

const tokenLifetimeSeconds = 3600
const generate = promisify(generateKeyPair)

/** A new private key. */
export async function generateKey(algorithm: SigningAlgorithm, kid: string): Promise<JWK> {
  const { privateKey } = await (algorithm === 'RS256'
    ? generate('rsa', { modulusLength: 2048 })
    : generate('ec', { namedCurve: 'P-256' }))
  return { ...(privateKey.export({ format: 'jwk' }) as JWK), kid, alg: algorithm, use: 'sig' }
}

/** A real OpenID provider as a request listener. It grants JWT access tokens by client credentials. */
export async function createOpenIdProvider(options: OpenIdProviderOptions): Promise<RequestListener> {
  const OidcProvider = await importProvider()
  // A Koa callback answers its own failures; its promise has nothing to say.
  const callback = new OidcProvider(options.issuer, configurationOf(options)).callback()
  return (request, response) => void callback(request, response)
}

function configurationOf({ algorithm, keys, client, api }: OpenIdProviderOptions): Configuration {
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
        // Checked for every client, though client credentials yield no ID token.
        id_token_signed_response_alg: algorithm,
      },
    ],
    scopes: api.scope.split(' '),
    ttl: { ClientCredentials: tokenLifetimeSeconds },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // Tokens for a resource can be JWTs (RFC 8707, RFC 9068); without one they are opaque.
      resourceIndicators: {
        enabled: true,
        defaultResource: () => api.audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: api.scope,
          audience: api.audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: tokenLifetimeSeconds,
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

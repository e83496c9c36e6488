import type { Auth } from '@jwks-auth/core'

/** What the MCP SDK passes to tools about the verified token: its `AuthInfo`, of 1.x and 2.x. */
export interface AuthInfo {
  /** The token itself. Enumerable, as the SDK has it: do not log this object. */
  token: string
  /** The client, by the first of the claims `client_id`, `azp`, `cid` and `appid` that is a string; `''` without one. */
  clientId: string
  /** The scopes of the token, with those that `impliedScopes` adds. */
  scopes: string[]
  /** When the token expires, in seconds since the epoch. */
  expiresAt: number
  /** The option `resource`, since the audience of the token was checked; absent with `audience: false`. */
  resource?: URL
  /** The URL of the metadata of the protected resource (RFC 9728), for challenges of the SDK. */
  resourceMetadataUrl: string
  /** `tenant`, `provider` and `claims` of the verified token. */
  extra: Record<string, unknown>
}

/** What of an {@link AuthInfo} is the same for each token. */
export interface ServerIdentity {
  /** The option `resource`; absent where no audience is checked. */
  readonly resource: URL | undefined
  /** The URL of the metadata. */
  readonly metadataUrl: string
}

/** Where authorization servers put the client: RFC 9068 §2.2, OpenID Connect Core 1.0 §2, Okta, Entra ID v1.0. */
const clientClaims: readonly string[] = Object.freeze(['client_id', 'azp', 'cid', 'appid'])

/** Translates a verified token for the SDK. */
export function authInfoOf(auth: Auth<unknown>, { resource, metadataUrl }: ServerIdentity): AuthInfo {
  const { token, scopes, expiresAt, tenant, provider, claims } = auth
  return {
    token,
    clientId: clientOf(claims),
    scopes: [...scopes],
    expiresAt: Math.floor(expiresAt / 1000),
    // One of its own for each request, since a URL can be changed.
    ...(resource === undefined ? {} : { resource: new URL(resource) }),
    resourceMetadataUrl: metadataUrl,
    extra: { tenant, provider, claims },
  }
}

function clientOf(claims: unknown): string {
  const members = new Map<string, unknown>(Object.entries(claims ?? {}))
  const client = clientClaims.map((name) => members.get(name)).find((value) => typeof value === 'string')
  return client ?? ''
}

import {
  argumentOptions,
  boolean,
  type Check,
  type OptionTable,
  optional,
  stringListOption,
  stringOption,
  type Unchecked,
} from '../base/options.ts'
import { parseUrl } from '../http/url-rules.ts'
import { scopeOption } from './check-claims.ts'

/** The options of `protectedResource`: the metadata of a protected resource (RFC 9728 §2). What is absent is left out. */
export interface ProtectedResourceOptions {
  /** The resource identifier: the absolute URL of the API, without a fragment (§1.2). Clients compare it exactly. */
  readonly resource: string
  /** Issuers of the authorization servers whose tokens the API accepts. */
  readonly authorizationServers?: readonly string[] | undefined
  /** Scopes that clients may ask for. */
  readonly scopesSupported?: readonly string[] | undefined
  /** How tokens may be sent: `header`, `body`, `query` (RFC 6750 §2). Default `['header']`. */
  readonly bearerMethodsSupported?: readonly ('header' | 'body' | 'query')[] | undefined
  /** The URL of the API's own key set, with which it signs responses. */
  readonly jwksUri?: string | undefined
  /** Algorithms of the API's signatures. */
  readonly resourceSigningAlgValuesSupported?: readonly string[] | undefined
  /** The name of the API, for people. */
  readonly resourceName?: string | undefined
  /** The URL of its documentation. */
  readonly resourceDocumentation?: string | undefined
  /** The URL of its policy on the use of data. */
  readonly resourcePolicyUri?: string | undefined
  /** The URL of its terms of service. */
  readonly resourceTosUri?: string | undefined
  /** True where tokens may be bound to client certificates (RFC 8705). */
  readonly tlsClientCertificateBoundAccessTokens?: boolean | undefined
  /** Types of authorization details (RFC 9396). */
  readonly authorizationDetailsTypesSupported?: readonly string[] | undefined
  /** Algorithms of DPoP proofs (RFC 9449). */
  readonly dpopSigningAlgValuesSupported?: readonly string[] | undefined
  /** True where tokens must be bound by DPoP. */
  readonly dpopBoundAccessTokensRequired?: boolean | undefined
}

/** A response, to be sent as it is. */
export interface MetadataResponse {
  /** The status. */
  readonly status: number
  /** Headers by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  /** The body, also for HEAD, where the framework does not send it; `''` where there is none. */
  readonly body: string
}

/** A protected resource, independent of the framework. */
export interface ProtectedResource {
  /** The URL of the metadata, for the option `resourceMetadata` of `jwksAuth`. */
  readonly metadataUrl: string
  /** Returns the response to a request for the metadata; `undefined` for any other request. */
  respond(method: string, target: string): MetadataResponse | undefined
}

/** RFC 9728 §3. */
const WELL_KNOWN = '/.well-known/oauth-protected-resource'

const urls: Check<readonly string[]> = (name, value) => stringListOption(name, value).map((url) => checkUrl(name, url))
const scopes: Check<readonly string[]> = (name, value) =>
  stringListOption(name, value).map((scope) => scopeOption(name, scope))

const table = {
  resource: { check: checkUrl },
  authorizationServers: optional(urls),
  jwksUri: optional(checkUrl),
  scopesSupported: optional(scopes),
  bearerMethodsSupported: optional(stringListOption, ['header']),
  resourceSigningAlgValuesSupported: optional(stringListOption),
  resourceName: optional(stringOption),
  resourceDocumentation: optional(checkUrl),
  resourcePolicyUri: optional(checkUrl),
  resourceTosUri: optional(checkUrl),
  tlsClientCertificateBoundAccessTokens: boolean(),
  authorizationDetailsTypesSupported: optional(stringListOption),
  dpopSigningAlgValuesSupported: optional(stringListOption),
  dpopBoundAccessTokensRequired: boolean(),
} satisfies OptionTable<ProtectedResourceOptions>

/** The options of `protectedResource`. */
export const protectedResourceTable: OptionTable<ProtectedResourceOptions> = table

/** Any origin may read it: it is public, and clients in browsers need it (MCP). It sets no cookies and reads none. */
const CORS: Readonly<Record<string, string>> = Object.freeze({ 'access-control-allow-origin': '*' })

/**
 * Creates a protected resource, the part of `protectedResource` that is independent of the framework.
 *
 * @throws TypeError that names a wrong option
 */
export function createProtectedResource(options: ProtectedResourceOptions): ProtectedResource {
  const checked = argumentOptions('protectedResource', options, table)
  const resource = checkResource(checked.resource)
  const path = metadataPath(resource)
  const body = JSON.stringify(metadataOf(checked))
  const headers = { ...CORS, 'content-type': 'application/json', 'cache-control': 'public, max-age=3600' }
  return {
    metadataUrl: resource.origin + path,
    respond(method, target) {
      if (target !== path) return undefined
      if (method === 'GET' || method === 'HEAD') return { status: 200, headers, body }
      const allow = 'GET, HEAD, OPTIONS'
      if (method !== 'OPTIONS') return { status: 405, headers: { ...CORS, allow }, body: '' }
      const preflight = { 'access-control-allow-methods': 'GET, HEAD', 'access-control-allow-headers': '*' }
      return { status: 204, headers: { ...CORS, ...preflight, allow }, body: '' }
    },
  }
}

/** RFC 9728 §3.1: between the host and the path of the resource, without the slash that ends a host. */
function metadataPath({ pathname, search }: URL): string {
  return WELL_KNOWN + (pathname === '/' ? '' : pathname) + search
}

/** RFC 9728 has the same names in snake case. */
function metadataOf(options: Unchecked): Unchecked {
  const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [snakeCase(name), value]))
}

/** RFC 9728 §1.2, but with `http:` for development. */
function checkResource(resource: string): URL {
  const url = parseUrl(resource)
  if (url === undefined || url.hash !== '' || resource.includes('#') || url.username !== '') {
    throw new TypeError('resource must be an absolute URL without a fragment and without credentials')
  }
  return url
}

function checkUrl(name: string, value: unknown): string {
  const given = stringOption(name, value)
  if (/^https?:$/.test(parseUrl(given)?.protocol ?? '')) return given
  throw new TypeError(`${name} must be an absolute http: or https: URL`)
}

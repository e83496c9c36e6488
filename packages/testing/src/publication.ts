import { objectOption } from '@jwks-auth/core/adapter'
import { type AnswerHeaders, mergeHeaders, type ServedDocument, strongEtag } from './document.ts'
import type { KeyRing } from './keys.ts'
import { type MetadataMembers, oauthMetadata, oauthPath, openidMetadata, openidPath } from './metadata.ts'
import { headerFields } from './option-checks.ts'
import { type IssuerSettings, isIssuerPath } from './options.ts'
import type { IssuerEndpoint, RequestEndpoint } from './request-log.ts'
import { checkEndpoint, issuerEndpoints } from './script.ts'

/** What an issuer publishes, where, and with which header fields. */
export interface Publication {
  /** Where the key set is. */
  readonly jwksUri: string
  /** What a path leads to. */
  readonly endpointAt: (path: string) => RequestEndpoint
  /** A document as it stands now. */
  readonly document: (endpoint: IssuerEndpoint) => ServedDocument
  /** Replaces the key set, or brings the real one back. */
  readonly setJwks: (document: unknown) => void
  /** Serves the key set at another path only. */
  readonly moveJwks: (path: string) => void
  /** Replaces members of metadata. */
  readonly setMetadata: (members: MetadataMembers, endpoint: 'openid' | 'oauth' | undefined) => void
  /** Replaces header fields. */
  readonly setHeaders: (endpoint: IssuerEndpoint, headers: AnswerHeaders) => void
}

/** Makes the publication of an issuer. `origin` is asked late: the port is known only after listening. */
export function createPublication(settings: IssuerSettings, keys: KeyRing, origin: () => string): Publication {
  const metadata = new Map<IssuerEndpoint, MetadataMembers>()
  const headers = new Map<IssuerEndpoint, AnswerHeaders>()
  let jwksPath = `${settings.path}/jwks`
  let replacement: unknown

  const jwksUri = (): string => `${origin()}${jwksPath}`
  const paths: Readonly<Record<IssuerEndpoint, () => string>> = {
    jwks: () => jwksPath,
    openid: () => openidPath(settings.path),
    oauth: () => oauthPath(settings.path),
  }
  const facts = () => ({
    issuer: `${origin()}${settings.path}`,
    jwksUri: jwksUri(),
    algorithms: keys.published.map((key) => key.alg),
  })
  const bodies: Readonly<Record<IssuerEndpoint, () => string>> = {
    jwks: () => jwksText(replacement === undefined ? keys.jwks : replacement),
    openid: () => openidMetadata(facts(), metadata.get('openid') ?? {}),
    oauth: () => oauthMetadata(facts(), metadata.get('oauth') ?? {}),
  }

  return {
    get jwksUri() {
      return jwksUri()
    },
    endpointAt: (path) => issuerEndpoints.find((endpoint) => paths[endpoint]() === path) ?? 'other',
    document(endpoint) {
      const body = Buffer.from(bodies[endpoint]())
      const usual = {
        date: new Date(settings.clock.now()).toUTCString(),
        'content-type': (endpoint === 'jwks' ? settings.keySetType : undefined) ?? 'application/json',
        'cache-control': endpoint === 'jwks' ? settings.cacheControl : undefined,
        etag: strongEtag(body),
      }
      return { body, headers: mergeHeaders(usual, headers.get(endpoint) ?? {}) }
    },
    setJwks(document) {
      if (document !== undefined && jwksText(document) === undefined) {
        throw new TypeError('setJwks: the document must be a string or something that JSON can express')
      }
      replacement = document
    },
    moveJwks(path) {
      if (!isIssuerPath(path)) throw new TypeError("moveJwks: the path must be one such as '/keys'")
      jwksPath = `${settings.path}${path}`
    },
    setMetadata(members, endpoint) {
      objectOption('setMetadata: members', members)
      if (endpoint !== undefined) checkEndpoint('setMetadata', endpoint, ['openid', 'oauth'])
      for (const each of endpoint === undefined ? (['openid', 'oauth'] as const) : [endpoint]) {
        metadata.set(each, { ...members })
      }
    },
    setHeaders(endpoint, fields) {
      checkEndpoint('setHeaders', endpoint)
      headerFields('setHeaders: headers', fields)
      headers.set(endpoint, { ...fields })
    },
  }
}

/** A string is published to the letter, all else as JSON. */
function jwksText(document: unknown): string {
  return typeof document === 'string' ? document : JSON.stringify(document)
}

/** Members of a metadata document that replace or add to the usual ones; `undefined` leaves one out. */
export type MetadataMembers = Readonly<Record<string, unknown>>

/** Where an issuer is, and what its keys sign with. */
export interface IssuerFacts {
  /** The issuer identifier. */
  readonly issuer: string
  /** Where its key set is. */
  readonly jwksUri: string
  /** The algorithms of its published keys. */
  readonly algorithms: readonly string[]
}

/** The path of the OpenID metadata: appended to the issuer's path (OpenID Connect Discovery 1.0 §4). */
export function openidPath(issuerPath: string): string {
  return `${issuerPath}/.well-known/openid-configuration`
}

/** The path of the OAuth metadata: put before the issuer's path (RFC 8414 §3.1). */
export function oauthPath(issuerPath: string): string {
  return `/.well-known/oauth-authorization-server${issuerPath}`
}

/** The OpenID metadata, with every member that is required (OpenID Connect Discovery 1.0 §3). */
export function openidMetadata(facts: IssuerFacts, replaced: MetadataMembers): string {
  return JSON.stringify({
    ...commonMembers(facts),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(['RS256', ...facts.algorithms])],
    ...replaced,
  })
}

/** The authorization server metadata (RFC 8414 §2). */
export function oauthMetadata(facts: IssuerFacts, replaced: MetadataMembers): string {
  return JSON.stringify({
    ...commonMembers(facts),
    grant_types_supported: ['authorization_code', 'client_credentials'],
    ...replaced,
  })
}

function commonMembers({ issuer, jwksUri }: IssuerFacts): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: jwksUri,
    response_types_supported: ['code'],
  }
}

import type { ProviderKey } from '../base/provider-key.ts'
import type { ParsedToken, TokenHeader } from './parse-token.ts'

/** The claims of a verified access token (RFC 7519 §4.1); what else the issuer put in is `unknown`. */
export interface AccessTokenClaims {
  /** Who issued the token (§4.1.1). */
  readonly iss: string
  /** Whom the token is about (§4.1.2). */
  readonly sub?: string
  /** Whom the token is meant for (§4.1.3). */
  readonly aud?: string | readonly string[]
  /** When it expires, in seconds since the epoch (§4.1.4). */
  readonly exp: number
  /** Before when it is not valid, in seconds since the epoch (§4.1.5). */
  readonly nbf?: number
  /** When it was issued, in seconds since the epoch (§4.1.6). */
  readonly iat?: number
  /** Its own id (§4.1.7). */
  readonly jti?: string
  /** Any other claim. */
  readonly [claim: string]: unknown
}

/** Who is asking: what a verified token says, and of which tenant it is. */
export interface Auth<Claims = RegisteredClaims> {
  /** The tenant of the request, which is the token's, too. */
  readonly tenant: string
  /** The tenant's provider that issued the token. */
  readonly provider: string
  /** The verified claims; with a schema in `claims`, its output. */
  readonly claims: Claims
  /** The protected header of the token. */
  readonly header: TokenHeader
  /** The token itself, to be passed on. */
  readonly token: string
  /** The scopes of the token, from `scope` (RFC 9068 §2.2.3) or `scp`. */
  readonly scopes: ReadonlySet<string>
}

/**
 * The place to say what an application's middleware is, so that `req.auth` and `request.auth` have its claims' type:
 *
 * ```ts
 * const authenticate = jwksAuth({ …, claims: schema })
 * declare module '@jwks-auth/core' {
 *   interface Register { claims: ClaimsOf<typeof authenticate> }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add to it.
export interface Register {}

/** The claims' type that the application has put in {@link Register}; {@link AccessTokenClaims} where it has not. */
export type RegisteredClaims = Register extends { readonly claims: infer Claims } ? Claims : AccessTokenClaims

/** The type of the claims that an authenticator or a middleware attaches. */
export type ClaimsOf<Authenticating> = Authenticating extends {
  readonly authenticator: { authenticate(request: never): infer Outcome }
}
  ? Extract<Awaited<Outcome>, { readonly ok: true }> extends { readonly auth: Auth<infer Claims> | undefined }
    ? Claims
    : never
  : never

/** The verified token as the application sees it. */
export function createAuth<Claims>(
  { tenant, provider }: ProviderKey,
  { token, header, payload }: ParsedToken,
  claims: Claims,
): Auth<Claims> {
  return { tenant, provider, claims, header: { ...header }, token, scopes: new Set(scopesOf(payload)) }
}

/** RFC 8693 §4.2 has `scope` as one string; some providers send `scp`, and some send lists. */
export function scopesOf({ scope, scp }: Readonly<Record<string, unknown>>): readonly string[] {
  const value = scope ?? scp
  if (typeof value === 'string') {
    const scopes = value.split(' ')
    return scopes.includes('') ? scopes.filter((item) => item !== '') : scopes
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : []
  return list.filter((item): item is string => typeof item === 'string' && item !== '')
}

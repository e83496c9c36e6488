import { type Auth, createAuthenticator, type SingleTenantOptions, type SnapshotStore } from '@jwks-auth/core'

/** What a licence grants. */
export interface Licence {
  readonly customer: string
  readonly features: ReadonlySet<string>
  readonly validUntil: Date
}

/** `unavailable`: the licence's key is new, and the endpoint cannot be reached. Try again later; it is no bad licence. */
export type Result =
  | { readonly ok: true; readonly licence: Licence }
  | { readonly ok: false; readonly reason: 'expired' | 'invalid' | 'unavailable' }

/** Where keys are kept: a directory, or a store of the application's own. */
type KeyStore = { readonly publicKeyPath: string } | { readonly store: SnapshotStore }

export interface Licences {
  verify(licence: string): Promise<Result>
  close(): Promise<void>
}

/**
 * Verifies the licences of a product. Keys never change, so that each is fetched once, when a licence first names it; from
 * then on its licences are verified without a request, after restarts as well.
 */
export function createLicences(options: KeyStore & Partial<SingleTenantOptions>): Licences {
  const authenticator = createAuthenticator({
    issuer: 'https://licences.example.com',
    jwksUri: 'https://licences.example.com/keys',
    audience: 'drawing-app',
    keyLifetime: 'immutable',
    ...options,
  })
  return {
    async verify(licence) {
      const outcome = await authenticator.verify(licence)
      if (outcome.ok) return { ok: true, licence: licenceOf(outcome.auth) }
      if (outcome.response.status === 503) return { ok: false, reason: 'unavailable' }
      return { ok: false, reason: outcome.error.code === 'ERR_TOKEN_EXPIRED' ? 'expired' : 'invalid' }
    },
    close: () => authenticator.close(),
  }
}

function licenceOf({ claims, scopes, expiresAt }: Auth<{ sub?: string }>): Licence {
  return { customer: claims.sub ?? 'unknown', features: scopes, validUntil: new Date(expiresAt) }
}

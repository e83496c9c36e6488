import type { VerificationKey } from '../jwks/verification-key.ts'

/** Stands in a key's `issuer` for the tenant that a token is of. */
const TENANT_PLACEHOLDER = '{tenantid}'

/**
 * True unless the key's own `issuer` member names another issuer than the token does. Endpoints that serve many
 * customers (Entra ID's `common`) say there whose tokens a key may sign: in full, or with `{tenantid}` for the token's
 * `tid`. A key without one vouches for whatever issuer the registration names.
 */
export function vouchesForIssuer({ jwk }: VerificationKey, claims: Readonly<Record<string, unknown>>): boolean {
  const issuer: unknown = 'issuer' in jwk ? jwk.issuer : undefined
  if (typeof issuer !== 'string') return true
  const { iss, tid } = claims
  if (!issuer.includes(TENANT_PLACEHOLDER)) return issuer === iss
  return typeof tid === 'string' && issuer.replaceAll(TENANT_PLACEHOLDER, () => tid) === iss
}

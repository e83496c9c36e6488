import { stringsOption, type Unchecked } from '../base/options.ts'

/** In an issuer, stands for the `tid` of the token: Entra ID's `common` issues tokens of all its tenants. */
export const TENANT_PLACEHOLDER = '{tenantid}'

const GUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** True for a GUID (RFC 9562 §4), which is what Entra ID's tenant ids are. */
export function isGuid(value: unknown): value is string {
  return typeof value === 'string' && GUID.test(value)
}

/**
 * Checks the option `allowedTenantIds`; returns the ids in lower case.
 *
 * @throws TypeError that names the option
 */
export function checkTenantIds(name: string, value: unknown): ReadonlySet<string> {
  const ids = stringsOption(name, value)
  const wrong = ids.findIndex((id) => !isGuid(id))
  if (wrong >= 0) throw new TypeError(`${name}[${wrong}] must be a GUID: the tid of a tenant's tokens`)
  return new Set(ids.map((id) => id.toLowerCase()))
}

/**
 * Checks that `{tenantid}` in an issuer and `allowedTenantIds` come together.
 *
 * @param where prefix of the names in messages
 * @param given the provider's own options
 * @param merged the same, with defaults
 * @returns the options with defaults, without `allowedTenantIds` where a default for many providers has no effect on this one
 * @throws TypeError that names the option
 */
export function checkIssuerTemplate(where: string, given: Unchecked, merged: Unchecked): Unchecked {
  const { issuer, jwks, jwksUri, metadataUri, allowedTenantIds, ...others } = merged
  const issuers: readonly unknown[] = Array.isArray(issuer) ? issuer : [issuer]
  if (!issuers.some((text) => typeof text === 'string' && text.includes(TENANT_PLACEHOLDER))) {
    if (given['allowedTenantIds'] === undefined) return { ...others, issuer, jwks, jwksUri, metadataUri }
    throw new TypeError(`${where}allowedTenantIds has no effect without an issuer that contains ${TENANT_PLACEHOLDER}`)
  }
  if (allowedTenantIds === undefined) {
    throw new TypeError(`${where}allowedTenantIds is required with an issuer that contains ${TENANT_PLACEHOLDER}`)
  }
  if ((jwks ?? jwksUri ?? metadataUri) === undefined) {
    throw new TypeError(`${where}issuer contains ${TENANT_PLACEHOLDER}, so jwksUri or metadataUri is required`)
  }
  return merged
}

/** The issuers of a provider's tokens: each with the placeholder once for each allowed tenant id. */
export function expandIssuers(
  issuers: readonly string[],
  tenantIds: ReadonlySet<string> | undefined,
): readonly string[] {
  if (tenantIds === undefined) return issuers
  return issuers.flatMap((issuer) =>
    issuer.includes(TENANT_PLACEHOLDER)
      ? [...tenantIds].map((id) => issuer.replaceAll(TENANT_PLACEHOLDER, id))
      : [issuer],
  )
}

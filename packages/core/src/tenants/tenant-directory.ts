/** A provider of a tenant, by the issuers of its tokens. */
export interface DirectoryProvider {
  readonly issuers: readonly string[]
}

/** A tenant with its providers. */
export interface Tenant<Provider> {
  readonly name: string
  /** Its providers by issuer, compared character by character. */
  readonly byIssuer: ReadonlyMap<string, Provider>
  /** Issuers of its configuration that are refused: another tenant has them, and nothing tells their tokens apart. */
  readonly refusedIssuers: ReadonlySet<string>
}

/** The configured tenants. In maps, so that no name matches a member of `Object.prototype`. */
export interface TenantDirectory<Provider> {
  /** The tenant of this name, which is unchecked: no other value than a name has a tenant. */
  readonly find: (name: unknown) => Tenant<Provider> | undefined
  /** The tenants by issuer, where each issuer has one tenant. */
  readonly byIssuer: ReadonlyMap<string, Tenant<Provider>>
  /** An issuer that more than one tenant has, if there is one. */
  readonly sharedIssuer: string | undefined
}

/**
 * Creates a directory of tenants that are all configured at the start.
 *
 * @throws TypeError where two providers of one tenant have the same issuer
 */
export function createTenantDirectory<Provider extends DirectoryProvider>(
  tenants: ReadonlyMap<string, readonly Provider[]>,
): TenantDirectory<Provider> {
  const byName = new Map<unknown, Tenant<Provider>>()
  const byIssuer = new Map<string, Tenant<Provider>>()
  let sharedIssuer: string | undefined
  for (const [name, providers] of tenants) {
    const tenant = { name, byIssuer: providersByIssuer(name, providers), refusedIssuers: NONE }
    byName.set(name, tenant)
    for (const issuer of tenant.byIssuer.keys()) {
      if (byIssuer.has(issuer)) sharedIssuer ??= issuer
      byIssuer.set(issuer, tenant)
    }
  }
  return { find: (name) => byName.get(name), byIssuer, sharedIssuer }
}

/** For tenants that are configured at the start: there, two with such an issuer are a `TypeError`. */
const NONE: ReadonlySet<string> = new Set()

/**
 * The providers of a tenant by issuer.
 *
 * @throws TypeError where two have the same issuer
 */
export function providersByIssuer<Provider extends DirectoryProvider>(
  tenant: string,
  providers: readonly Provider[],
): ReadonlyMap<string, Provider> {
  const found = new Map<string, Provider>()
  for (const provider of providers) {
    for (const issuer of provider.issuers) {
      if (found.has(issuer)) throw new TypeError(`tenants.${tenant}: two providers have the issuer ${issuer}`)
      found.set(issuer, provider)
    }
  }
  return found
}

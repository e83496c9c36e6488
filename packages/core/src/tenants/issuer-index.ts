import type { Tenant } from './tenant-directory.ts'

/** Tenants by the issuers of their providers; several may have one issuer. */
export interface IssuerIndex<Found> {
  add(tenant: Found): void
  remove(tenant: Found): void
  /** The tenants that have this issuer. */
  tenantsOf(issuer: string): Iterable<Found>
}

/** Creates an empty index. */
export function createIssuerIndex<Found extends Pick<Tenant<unknown>, 'byIssuer'>>(): IssuerIndex<Found> {
  const tenants = new Map<string, Set<Found>>()
  return {
    add(tenant) {
      for (const issuer of tenant.byIssuer.keys()) {
        const same = tenants.get(issuer) ?? new Set()
        tenants.set(issuer, same)
        same.add(tenant)
      }
    },
    remove(tenant) {
      for (const issuer of tenant.byIssuer.keys()) {
        const same = tenants.get(issuer)
        same?.delete(tenant)
        if (same?.size === 0) tenants.delete(issuer)
      }
    },
    tenantsOf: (issuer) => tenants.get(issuer) ?? [],
  }
}

import type { AuthRequest } from '../base/auth-request.ts'
import type { Tenant } from '../tenants/tenant-directory.ts'
import { isTenantFromIssuer } from '../tenants/tenant-resolver.ts'
import {
  type AuthProvider,
  type AuthTenants,
  checkProviders,
  checkResolver,
  type ProviderRegistry,
} from './auth-providers.ts'
import type { CheckedAuthOptions } from './check-auth-options.ts'
import { DEFAULT_NAME } from './check-tenants.ts'
import { createIssuerMismatchReports } from './issuer-mismatch.ts'
import { createLookedUpTenants } from './looked-up-tenants.ts'

/** The tenants of an authenticator, and which of them a request is for. */
export interface ResolvedTenants {
  readonly tenants: AuthTenants
  /** The tenant of a request: an identifier, or what a callback returned, perhaps a promise. */
  readonly resolveTenant: (request: AuthRequest, issuer: string) => unknown
  /** The tenant of a token that comes without a request; `undefined` where its issuer does not decide. */
  readonly tenantOfIssuer: (issuer: string) => string | undefined
  /** Reports the issuer of a token that is not one of the tenant's, where it is almost one. */
  readonly reportIssuer: (tenant: Tenant<AuthProvider> | undefined, issuer: string) => void
}

/**
 * Creates the tenants that the options configure. Everything is checked before anything is registered.
 *
 * @throws TypeError that names a wrong option
 * @throws ProviderTakenError where a shared registry has something else under one of the names
 */
export function createTenants(registry: ProviderRegistry, options: CheckedAuthOptions): ResolvedTenants {
  const { isSingleTenant, lookup, providers, resolver } = options
  const mismatches = createIssuerMismatchReports(registry.events)
  const reportIssuer: ResolvedTenants['reportIssuer'] = (tenant, issuer) => {
    if (tenant !== undefined) mismatches.report(issuer, tenant.byIssuer, (provider) => provider)
  }
  if (lookup !== undefined) {
    if (resolver === undefined || isTenantFromIssuer(resolver)) {
      throw new TypeError('tenant is required where tenants is a function, and cannot be tenantFromIssuer()')
    }
    const tenants = createLookedUpTenants(registry, lookup)
    return { tenants, resolveTenant: (request) => resolver(request), tenantOfIssuer: () => undefined, reportIssuer }
  }
  const registrable = checkProviders(registry, providers)
  if (!isSingleTenant) checkResolver(resolver, registrable.sharedIssuer)
  const tenants = registrable.register()
  if (isSingleTenant) {
    return { tenants, resolveTenant: () => DEFAULT_NAME, tenantOfIssuer: () => DEFAULT_NAME, reportIssuer }
  }
  const { byIssuer, sharedIssuer } = tenants.directory
  const tenantOfIssuer = (issuer: string) => (sharedIssuer === undefined ? byIssuer.get(issuer)?.name : undefined)
  if (resolver !== undefined && !isTenantFromIssuer(resolver)) {
    return { tenants, resolveTenant: (request) => resolver(request), tenantOfIssuer, reportIssuer }
  }
  return {
    tenants,
    resolveTenant: (_request, issuer) => byIssuer.get(issuer)?.name,
    tenantOfIssuer,
    // Such a token has no tenant at all.
    reportIssuer: (_tenant, issuer) =>
      mismatches.report(issuer, byIssuer, (tenant, configured) => tenant.byIssuer.get(configured)),
  }
}

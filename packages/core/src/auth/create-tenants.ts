import type { AuthRequest } from '../base/auth-request.ts'
import { isTenantFromIssuer } from '../tenants/tenant-resolver.ts'
import {
  type AuthTenants,
  checkProviders,
  checkResolver,
  createIssuerResolution,
  createTenantResolution,
  type ProviderRegistry,
} from './auth-providers.ts'
import type { CheckedAuthOptions } from './check-auth-options.ts'
import { DEFAULT_NAME } from './check-tenants.ts'
import { createLookedUpTenants } from './looked-up-tenants.ts'

/** The tenants of an authenticator, and which of them a request is for. */
export interface ResolvedTenants {
  readonly tenants: AuthTenants
  /** The tenant of a request: an identifier, or what a callback returned, perhaps a promise. */
  readonly resolveTenant: (request: AuthRequest, issuer: string) => unknown
  /** The tenant of a token that comes without a request; `undefined` where its issuer does not decide. */
  readonly tenantOfIssuer: (issuer: string) => string | undefined
}

/**
 * Creates the tenants that the options configure. Everything is checked before anything is registered.
 *
 * @throws TypeError that names a wrong option
 * @throws ProviderTakenError where a shared registry has something else under one of the names
 */
export function createTenants(registry: ProviderRegistry, options: CheckedAuthOptions): ResolvedTenants {
  const { isSingleTenant, lookup, providers, resolver } = options
  if (lookup !== undefined) {
    if (resolver === undefined || isTenantFromIssuer(resolver)) {
      throw new TypeError('tenant is required where tenants is a function, and cannot be tenantFromIssuer()')
    }
    return {
      tenants: createLookedUpTenants(registry, lookup),
      resolveTenant: (request) => resolver(request),
      tenantOfIssuer: () => undefined,
    }
  }
  const registrable = checkProviders(registry, providers)
  if (!isSingleTenant) checkResolver(resolver, registrable.sharedIssuer)
  const tenants = registrable.register()
  if (isSingleTenant) return { tenants, resolveTenant: () => DEFAULT_NAME, tenantOfIssuer: () => DEFAULT_NAME }
  const { directory } = tenants
  return {
    tenants,
    resolveTenant: createTenantResolution(resolver, (issuer) => directory.findByIssuer(issuer)),
    tenantOfIssuer: createIssuerResolution(directory),
  }
}

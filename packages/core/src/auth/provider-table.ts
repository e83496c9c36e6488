import type { RegisteredProvider } from '../registry/registered-provider.ts'
import { internals, type Registry, type RegistryInternals } from '../registry/registry.ts'
import { createTenantDirectory, type TenantDirectory } from '../tenants/tenant-directory.ts'
import type { CheckedProvider } from './check-auth-options.ts'
import { areDistinguishable, type ClaimRules } from './claim-rules.ts'

/** A registered provider, with the rules of one authenticator. */
export interface AuthProvider {
  readonly registered: RegisteredProvider
  readonly issuers: readonly string[]
  readonly algorithms: ReadonlySet<string>
  readonly rules: ClaimRules
}

/** The providers of one authenticator. */
export interface AuthProviders {
  readonly directory: TenantDirectory<AuthProvider>
  readonly all: readonly AuthProvider[]
}

/** What an authenticator's options name is the operator's own word, so it may lie in a private network. */
const NETWORK = 'any'

/** The registry with what it keeps for this package. */
export function internalsOf(registry: unknown): RegistryInternals {
  if (typeof registry !== 'object' || registry === null || !(internals in registry)) {
    throw new TypeError('registry must be one that createRegistry made')
  }
  return registry as RegistryInternals
}

/**
 * Registers the providers and lists them by tenant. Everything is checked before anything is registered.
 *
 * @throws TypeError that names a wrong option, or two tenants that nothing tells apart
 * @throws ProviderTakenError where a shared registry has something else under one of the names
 */
export function registerProviders(registry: Registry, providers: readonly CheckedProvider[]): AuthProviders {
  const inside = internalsOf(registry)[internals]
  for (const { registration, where } of providers) inside.check(registration, { network: NETWORK, where })
  checkSharedIssuers(providers)
  const tenants = new Map<string, AuthProvider[]>()
  for (const { tenant, registration, where, rules } of providers) {
    const registered = inside.registerNow(registration, { network: NETWORK, where })
    const { issuers } = registered.registration
    const ofTenant = tenants.get(tenant) ?? []
    tenants.set(tenant, ofTenant)
    ofTenant.push({ registered, issuers, algorithms: new Set(registered.algorithms), rules })
  }
  return { directory: createTenantDirectory(tenants), all: [...tenants.values()].flat() }
}

/** Tenants with one issuer, and nothing in their rules that a token of the one could not satisfy for the other. */
function checkSharedIssuers(providers: readonly CheckedProvider[]): void {
  const byIssuer = new Map<unknown, CheckedProvider[]>()
  for (const provider of providers) {
    for (const issuer of [provider.registration['issuer']].flat()) {
      const same = byIssuer.get(issuer) ?? []
      byIssuer.set(issuer, same)
      for (const other of same) {
        if (other.tenant === provider.tenant || areDistinguishable(other.rules, provider.rules)) continue
        throw new TypeError(
          `tenants ${other.tenant} and ${provider.tenant} have the issuer ${String(issuer)}, and neither audience nor ` +
            'boundClaims tells their tokens apart: a token of the one would be accepted for the other',
        )
      }
      same.push(provider)
    }
  }
}

import type { AuthRequest } from '../base/auth-request.ts'
import { IssuerNotAllowedError, TenantNotDeterminedError, TenantUnknownError } from '../base/errors/request-errors.ts'
import { isIdentifier, type Unchecked } from '../base/options.ts'
import type { RegisteredProvider } from '../registry/registered-provider.ts'
import { internals, internalsOf, type Registry } from '../registry/registry.ts'
import { createTenantDirectory, type TenantDirectory } from '../tenants/tenant-directory.ts'
import { isTenantFromIssuer, type TenantResolver } from '../tenants/tenant-resolver.ts'
import { type Claims, issuerOf } from './check-claims.ts'
import { areDistinguishable, type ClaimRules } from './claim-rules.ts'

/** A provider that is to be registered. */
export interface CheckedProvider {
  readonly tenant: string
  readonly provider: string
  /** Prefix of its options' names in messages. */
  readonly where: string
  /** For the registry. */
  readonly registration: Unchecked
  readonly rules: ClaimRules
}

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

/** Providers that can be registered. */
export interface RegistrableProviders {
  /** An issuer that more than one tenant has, if there is one. */
  readonly sharedIssuer: string | undefined
  /** Registers them all. */
  register(): AuthProviders
}

/** An authenticator's options come from the operator, so its providers may be in a private network. */
const NETWORK = 'any'

/**
 * Checks the providers, alone, together and against what the registry has. Nothing is registered yet, so that an
 * authenticator that cannot be made leaves nothing behind.
 *
 * @throws TypeError that names a wrong option, or two tenants that nothing tells apart
 * @throws ProviderTakenError where a shared registry has something else under one of the names
 */
export function checkProviders(registry: Registry, providers: readonly CheckedProvider[]): RegistrableProviders {
  const { check, registerNow } = internalsOf(registry)[internals]
  const checked = providers.map((provider) => {
    const { registration, where } = provider
    return { ...provider, issuers: check(registration, { network: NETWORK, where }).issuers }
  })
  checkSharedIssuers(checked)
  return {
    sharedIssuer: createTenantDirectory(byTenant(checked, (provider) => provider)).sharedIssuer,
    register() {
      const algorithmSets = new Map<readonly string[], ReadonlySet<string>>()
      const setOf = (algorithms: readonly string[]): ReadonlySet<string> => {
        const set = algorithmSets.get(algorithms) ?? new Set(algorithms)
        algorithmSets.set(algorithms, set)
        return set
      }
      const tenants = byTenant(checked, ({ registration, where, issuers, rules }): AuthProvider => {
        const registered = registerNow(registration, { network: NETWORK, where })
        return { registered, issuers, algorithms: setOf(registered.algorithms), rules }
      })
      return { directory: createTenantDirectory(tenants), all: [...tenants.values()].flat() }
    },
  }
}

function byTenant<Given extends { readonly tenant: string }, Made>(
  providers: readonly Given[],
  make: (provider: Given) => Made,
): ReadonlyMap<string, readonly Made[]> {
  const tenants = new Map<string, Made[]>()
  for (const provider of providers) {
    const ofTenant = tenants.get(provider.tenant) ?? []
    tenants.set(provider.tenant, ofTenant)
    ofTenant.push(make(provider))
  }
  return tenants
}

/**
 * The provider of this tenant that issued a token, by its `iss`; or why there is none.
 *
 * @param tenantName what the resolver returned, unchecked
 */
export function selectProvider(
  directory: TenantDirectory<AuthProvider>,
  tenantName: unknown,
  claims: Claims,
): AuthProvider | TenantNotDeterminedError | TenantUnknownError | IssuerNotAllowedError {
  const tenant = typeof tenantName === 'string' ? directory.find(tenantName) : undefined
  // Checked only then, since the name of a configured tenant is an identifier.
  if (tenant === undefined) return isIdentifier(tenantName) ? new TenantUnknownError() : new TenantNotDeterminedError()
  const provider = tenant.byIssuer.get(issuerOf(claims))
  return provider === undefined || provider.registered.isRemoved ? new IssuerNotAllowedError() : provider
}

/**
 * Throws for two tenants with one issuer that no rule tells apart: a token of one would be accepted for the other.
 *
 * @throws TypeError that names both tenants
 */
function checkSharedIssuers(providers: readonly (CheckedProvider & { readonly issuers: readonly string[] })[]): void {
  const byIssuer = new Map<string, CheckedProvider[]>()
  for (const provider of providers) {
    for (const issuer of provider.issuers) {
      const same = byIssuer.get(issuer) ?? []
      byIssuer.set(issuer, same)
      for (const other of same) {
        if (other.tenant === provider.tenant || areDistinguishable(other.rules, provider.rules)) continue
        throw new TypeError(
          `tenants ${other.tenant} and ${provider.tenant} have the issuer ${issuer}, and neither audience nor ` +
            'boundClaims tells their tokens apart: a token of the one would be accepted for the other',
        )
      }
      same.push(provider)
    }
  }
}

/**
 * Creates the function that finds a request's tenant: an identifier, or what a callback of the application returns.
 *
 * @param resolver the option `tenant`; by default the tenant whose issuer the token has
 */
export function createTenantResolution(
  resolver: TenantResolver | undefined,
  { directory }: Pick<AuthProviders, 'directory'>,
): (request: AuthRequest, issuer: string) => unknown {
  if (resolver !== undefined && !isTenantFromIssuer(resolver)) return (request) => resolver(request)
  return (_request, issuer) => directory.findByIssuer(issuer)?.name
}

/**
 * Checks that a token alone tells its tenant, where the option `tenant` is absent or `tenantFromIssuer()`.
 *
 * @throws TypeError where two tenants share an issuer
 */
export function checkResolver(resolver: TenantResolver | undefined, sharedIssuer: string | undefined): void {
  if (sharedIssuer === undefined || (resolver !== undefined && !isTenantFromIssuer(resolver))) return
  throw new TypeError(`tenant is required: two tenants have the issuer ${sharedIssuer}, so a token does not tell which`)
}

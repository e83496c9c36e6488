import { valueText } from '../base/value-text.ts'
import { signatureAlgorithms } from '../jwks/algorithms.ts'
import { providersByIssuer, type Tenant } from '../tenants/tenant-directory.ts'
import { type AcceptedTenant, createTenantLookup } from '../tenants/tenant-lookup.ts'
import {
  type AuthProvider,
  type AuthTenants,
  type CheckedProvider,
  createAlgorithmSets,
  type ProviderRegistry,
} from './auth-providers.ts'
import { type CheckedLookup, checkLookedUpTenant } from './check-tenants.ts'
import { createIssuerIndex } from './issuer-index.ts'
import { expandIssuers } from './issuer-template.ts'

/** A tenant that was looked up, as it is cached. */
interface LookedUpTenant extends Tenant<AuthProvider> {
  /** Equal for equal configurations. */
  readonly configText: string
  readonly providers: readonly AuthProvider[]
}

/** A provider of a configuration that is not registered yet. */
interface Candidate extends CheckedProvider {
  readonly issuers: readonly string[]
  /** The provider of this name that is registered for the tenant now. */
  readonly replaced: AuthProvider['registered'] | undefined
}

/** Whoever writes the configuration of a tenant into a database may not be the operator. */
const NETWORK = 'public'

/**
 * Creates the tenants of an authenticator with `tenants` as a function.
 *
 * @throws TypeError for a wrong option beside `tenants`
 */
export function createLookedUpTenants(registry: ProviderRegistry, lookup: CheckedLookup): AuthTenants {
  const { clock, events, runDetached, check, checkDefaults, registerNow, release } = registry
  const { bounds, providerDefaults, defaultRules } = lookup
  refuseImmutable('', checkDefaults(providerDefaults))
  const algorithmsOf = createAlgorithmSets()
  const issuers = createIssuerIndex<LookedUpTenant>()

  const tenants = createTenantLookup<LookedUpTenant>({
    clock,
    bounds,
    // Shared by many requests, so it belongs to the trace of none.
    lookUp: (id) => runDetached(() => lookup.lookUp(id)),
    accept,
    isCurrent: ({ providers }) => providers.every(({ registered }) => !registered.isRemoved),
    release(tenant, reason) {
      issuers.remove(tenant)
      for (const { registered } of tenant.providers) release(registered, reason)
    },
    failed: (tenant, error) => events.emit('tenant-lookup-failed', { tenant, provider: '*', error }),
  })

  function accept(name: string, config: unknown, previous: LookedUpTenant | undefined): AcceptedTenant<LookedUpTenant> {
    const configText = valueText(config)
    if (previous?.configText === configText && isStillAccepted(previous))
      return { tenant: previous, isProvisional: false }
    // Everything is checked before anything is registered.
    const candidates = checkCandidates(name, config, previous)
    const accepted = candidates.filter((candidate) => {
      const other = findRival(name, candidate)
      if (other === undefined) return true
      const { provider } = candidate
      events.emit('issuer-shared', { tenant: name, provider, issuer: other.issuer, otherTenant: other.tenant })
      return false
    })
    const refused = candidates.filter((candidate) => !accepted.includes(candidate))
    const providers = accepted.map(register)
    if (previous !== undefined) issuers.remove(previous)
    for (const { registered } of previous?.providers ?? []) {
      if (!providers.some((kept) => kept.registered === registered)) release(registered, 'removed')
    }
    const tenant: LookedUpTenant = {
      name,
      configText,
      providers,
      byIssuer: providersByIssuer(name, providers),
      refusedIssuers: new Set(refused.flatMap((candidate) => candidate.issuers)),
    }
    issuers.add(tenant)
    return { tenant, isProvisional: refused.length > 0 }
  }

  function checkCandidates(name: string, config: unknown, previous: LookedUpTenant | undefined): readonly Candidate[] {
    const candidates = checkLookedUpTenant(name, config, lookup).map((given): Candidate => {
      const { registration, where, provider } = given
      const replaced = previous?.providers.find(({ registered }) => registered.key.provider === provider)?.registered
      const checked = check(registration, { network: NETWORK, where, isLeased: true, replaced })
      refuseImmutable(where, checked.options)
      return { ...given, issuers: expandIssuers(checked.issuers, given.rules.tenantIds), replaced }
    })
    providersByIssuer(name, candidates)
    return candidates
  }

  function register({ registration, where, rules, replaced, ...candidate }: Candidate): AuthProvider {
    const registered = registerNow(registration, { network: NETWORK, where, isLeased: true, replaced })
    return { registered, issuers: candidate.issuers, rules, algorithms: algorithmsOf(registered.algorithms) }
  }

  function isStillAccepted({ name, providers, refusedIssuers }: LookedUpTenant): boolean {
    if (refusedIssuers.size > 0) return false
    return providers.every((provider) => !provider.registered.isRemoved && findRival(name, provider) === undefined)
  }

  /** Another tenant in use whose tokens nothing tells apart from this provider's, and the issuer that they share. */
  function findRival(
    name: string,
    provider: Pick<AuthProvider, 'issuers' | 'rules'>,
  ): { readonly issuer: string; readonly tenant: string } | undefined {
    for (const issuer of provider.issuers) {
      for (const other of issuers.indistinguishable(issuer, provider.rules)) {
        if (other.name !== name && tenants.isInUse(other.name)) return { issuer, tenant: other.name }
      }
    }
    return undefined
  }

  return {
    find: (name, now) => tenants.find(name, now),
    // A tenant's own options may name any of them.
    algorithms: new Set(signatureAlgorithms),
    clockTolerance: defaultRules.clockTolerance,
    invalidate: (name) => tenants.invalidate(name),
    close: () => tenants.close(),
  }
}

function refuseImmutable(where: string, { keyLifetime }: { readonly keyLifetime: 'http' | 'immutable' }): void {
  if (keyLifetime !== 'immutable') return
  throw new TypeError(`${where}keyLifetime cannot be 'immutable' for tenants that are looked up`)
}

import { LRUCache } from 'lru-cache'
import type { Instant } from '../base/clock.ts'
import type { RequestRefusedError } from '../base/errors/jwks-auth-error.ts'
import {
  IssuerNotAllowedError,
  IssuerSharedError,
  TenantNotDeterminedError,
  TenantUnknownError,
} from '../base/errors/request-errors.ts'
import type { EventBus } from '../base/events.ts'
import { isIdentifier, type Unchecked } from '../base/options.ts'
import type { IssuerMismatchEvent, RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { internals, RegisteredProvider, RegistryInternals } from '../registry/registry.ts'
import { createTenantDirectory, type Tenant, type TenantDirectory } from '../tenants/tenant-directory.ts'
import { isTenantFromIssuer, type TenantResolver } from '../tenants/tenant-resolvers.ts'
import { type Claims, issuerOf } from './check-claims.ts'
import { areDistinguishable, type ClaimRules, expandIssuers } from './claim-rules.ts'

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
  /** The issuers of its tokens, as they are in `iss`. */
  readonly issuers: readonly string[]
  readonly algorithms: ReadonlySet<string>
  readonly rules: ClaimRules
}

/** The tenants of one authenticator, configured or looked up, with their providers. */
export interface AuthTenants {
  /** Finds a tenant by what the resolver returned, unchecked; a promise where it is looked up, which never rejects. */
  find(
    name: unknown,
    now: Instant,
  ):
    | Tenant<AuthProvider>
    | undefined
    | RequestRefusedError
    | Promise<Tenant<AuthProvider> | undefined | RequestRefusedError>
  /** What every provider refuses is refused before the token's provider is known: other algorithms than these. */
  readonly algorithms: ReadonlySet<string>
  /** The longest tolerance of all providers, in milliseconds. */
  readonly clockTolerance: number
  /** Looks a tenant up again at its next request. */
  invalidate(name: string): void
  /** Ends what the tenants use of the registry. */
  close(): void
}

/** Tenants that are configured at the start. */
export interface ConfiguredTenants extends AuthTenants {
  readonly directory: TenantDirectory<AuthProvider>
  readonly all: readonly AuthProvider[]
}

/** A registry, as far as it registers providers. */
export type ProviderRegistry = RegistryInternals[typeof internals]

/** Providers that can be registered. */
export interface RegistrableProviders {
  /** An issuer that more than one tenant has, if there is one. */
  readonly sharedIssuer: string | undefined
  /** Registers them all. */
  register(): ConfiguredTenants
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
export function checkProviders(
  { check, registerNow }: ProviderRegistry,
  providers: readonly CheckedProvider[],
): RegistrableProviders {
  const checked = providers.map((provider) => {
    const { registration, where, rules } = provider
    const { issuers } = check(registration, { network: NETWORK, where })
    return { ...provider, issuers: expandIssuers(issuers, rules.tenantIds) }
  })
  checkSharedIssuers(checked)
  return {
    sharedIssuer: createTenantDirectory(byTenant(checked, (provider) => provider)).sharedIssuer,
    register() {
      const setOf = createAlgorithmSets()
      const tenants = byTenant(checked, ({ registration, where, issuers, rules }): AuthProvider => {
        const registered = registerNow(registration, { network: NETWORK, where })
        return { registered, issuers, algorithms: setOf(registered.algorithms), rules }
      })
      return configuredTenants(tenants)
    },
  }
}

/** Outside of `checkProviders`: the functions returned must not keep its checked options in memory. */
function configuredTenants(tenants: ReadonlyMap<string, readonly AuthProvider[]>): ConfiguredTenants {
  const all = [...tenants.values()].flat()
  const directory = createTenantDirectory(tenants)
  return {
    directory,
    all,
    find: directory.find,
    algorithms: new Set(all.flatMap(({ algorithms }) => [...algorithms])),
    clockTolerance: Math.max(...new Set(all.map(({ rules }) => rules.clockTolerance))),
    invalidate: () => undefined,
    close: () => undefined,
  }
}

/** Creates a function that makes a set of a list of algorithms, one for each list. */
export function createAlgorithmSets(): (algorithms: readonly string[]) => ReadonlySet<string> {
  const sets = new WeakMap<readonly string[], ReadonlySet<string>>()
  return (algorithms) => {
    const set = sets.get(algorithms) ?? new Set(algorithms)
    sets.set(algorithms, set)
    return set
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
  tenant: Tenant<AuthProvider> | undefined,
  tenantName: unknown,
  claims: Claims,
): AuthProvider | TenantNotDeterminedError | TenantUnknownError | IssuerNotAllowedError | IssuerSharedError {
  // Checked only then, since the name of a tenant is an identifier.
  if (tenant === undefined) return isIdentifier(tenantName) ? new TenantUnknownError() : new TenantNotDeterminedError()
  const issuer = issuerOf(claims)
  const provider = tenant.byIssuer.get(issuer)
  if (provider !== undefined && !provider.registered.isRemoved) return provider
  return tenant.refusedIssuers.has(issuer) ? new IssuerSharedError() : new IssuerNotAllowedError()
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
 * Checks that a token alone tells its tenant, where the option `tenant` is absent or `tenantFromIssuer()`.
 *
 * @throws TypeError where two tenants share an issuer
 */
export function checkResolver(resolver: TenantResolver | undefined, sharedIssuer: string | undefined): void {
  if (sharedIssuer === undefined || (resolver !== undefined && !isTenantFromIssuer(resolver))) return
  throw new TypeError(`tenant is required: two tenants have the issuer ${sharedIssuer}, so a token does not tell which`)
}

/** The cached tenants by the issuers of their providers; many tenants may have one issuer. */
export interface IssuerIndex<Found> {
  add(tenant: Found): void
  remove(tenant: Found): void
  /** The tenants with this issuer whose tokens nothing tells apart from those of a provider with these rules. */
  indistinguishable(issuer: string, rules: ClaimRules): Iterable<Found>
}

/** The providers of one issuer in groups by what tells them apart, and in these by its values. */
type Groups<Found> = Map<string, Map<string, Set<Found>>>

/** What tells a provider apart first: a bound claim, else its audiences, else nothing. */
interface Placement {
  readonly group: string
  readonly values: readonly string[]
}

const AUDIENCE = 'audience'
const NOTHING = 'nothing'
const CLAIM = 'claim '

function placementOf({ boundClaims, audiences }: ClaimRules): Placement {
  const [name] = [...boundClaims.keys()].toSorted()
  if (name !== undefined) return { group: CLAIM + name, values: [JSON.stringify(boundClaims.get(name))] }
  return audiences === undefined ? { group: NOTHING, values: [''] } : { group: AUDIENCE, values: [...audiences] }
}

/** The values that a provider with these rules could have in common with one in the group; `undefined` for any. */
function valuesIn(group: string, { boundClaims, audiences }: ClaimRules): readonly string[] | undefined {
  if (group === AUDIENCE) return audiences === undefined ? undefined : [...audiences]
  const value = group.startsWith(CLAIM) ? boundClaims.get(group.slice(CLAIM.length)) : undefined
  return value === undefined ? undefined : [JSON.stringify(value)]
}

/**
 * Creates an empty index. Comparing each tenant with each other one of its issuer would take 10 ms and more where an issuer
 * has 10 000 tenants; most of them have another value of the same claim, and are not looked at.
 */
export function createIssuerIndex<Found extends Pick<Tenant<AuthProvider>, 'byIssuer'>>(): IssuerIndex<Found> {
  const issuers = new Map<string, Groups<Found>>()

  function* candidates(groups: Groups<Found>, rules: ClaimRules): Generator<Found> {
    for (const [group, byValue] of groups) {
      for (const value of valuesIn(group, rules) ?? byValue.keys()) yield* byValue.get(value) ?? []
    }
  }

  return {
    add(tenant) {
      for (const [issuer, { rules }] of tenant.byIssuer) {
        const { group, values } = placementOf(rules)
        const groups: Groups<Found> = issuers.get(issuer) ?? new Map()
        const byValue = groups.get(group) ?? new Map<string, Set<Found>>()
        issuers.set(issuer, groups)
        groups.set(group, byValue)
        for (const value of values) byValue.set(value, (byValue.get(value) ?? new Set()).add(tenant))
      }
    },
    remove(tenant) {
      for (const [issuer, { rules }] of tenant.byIssuer) {
        const { group, values } = placementOf(rules)
        const groups = issuers.get(issuer)
        const byValue = groups?.get(group)
        for (const value of values) {
          const same = byValue?.get(value)
          same?.delete(tenant)
          if (same?.size === 0) byValue?.delete(value)
        }
        if (byValue?.size === 0) groups?.delete(group)
        if (groups?.size === 0) issuers.delete(issuer)
      }
    },
    *indistinguishable(issuer, rules) {
      for (const tenant of candidates(issuers.get(issuer) ?? new Map(), rules)) {
        const other = tenant.byIssuer.get(issuer)
        if (other !== undefined && !areDistinguishable(other.rules, rules)) yield tenant
      }
    },
  }
}

/** Reports that are remembered, so that each is made once; of more, the least recent one may be made again. */
const MAX_REPORTS = 1_000

/** Reports issuers of refused tokens that are almost those of a provider. */
export interface IssuerMismatchReports {
  /**
   * Emits an event, once for each issuer and provider, if the issuer differs only by a slash at the end or by case.
   *
   * @param byIssuer the issuers that could have been meant
   * @param providerOf the provider of one of these
   */
  report<Found>(
    issuer: string,
    byIssuer: ReadonlyMap<string, Found>,
    providerOf: (found: Found, issuer: string) => AuthProvider | undefined,
  ): void
}

/** Creates reports that are made as events. */
export function createIssuerMismatchReports(events: EventBus<RegistryEvents>): IssuerMismatchReports {
  const made = new LRUCache<string, true>({ max: MAX_REPORTS })
  const indexes = new WeakMap<ReadonlyMap<string, unknown>, ReadonlyMap<string, string>>()

  /** The configured issuer by what is left of it without slash and case. Made once: a flood of refusals must be cheap. */
  function indexOf(byIssuer: ReadonlyMap<string, unknown>): ReadonlyMap<string, string> {
    const index = indexes.get(byIssuer) ?? new Map([...byIssuer.keys()].map((issuer) => [folded(issuer), issuer]))
    indexes.set(byIssuer, index)
    return index
  }

  return {
    report(issuer, byIssuer, providerOf) {
      const configured = indexOf(byIssuer).get(folded(issuer))
      if (configured === undefined || configured === issuer) return
      const found = byIssuer.get(configured)
      const key = found === undefined ? undefined : providerOf(found, configured)?.registered.key
      if (key === undefined) return
      const name = JSON.stringify([key.tenant, key.provider, configured])
      if (made.get(name) === true) return
      made.set(name, true)
      events.emit('issuer-mismatch', { ...key, issuer: configured, difference: differenceOf(issuer, configured) })
    },
  }
}

function differenceOf(issuer: string, configured: string): IssuerMismatchEvent['difference'] {
  const isCase = withoutSlash(issuer) !== withoutSlash(configured)
  if (issuer.endsWith('/') === configured.endsWith('/')) return 'case'
  return isCase ? 'trailing-slash-and-case' : 'trailing-slash'
}

function folded(issuer: string): string {
  return withoutSlash(issuer).toLowerCase()
}

function withoutSlash(issuer: string): string {
  return issuer.endsWith('/') ? issuer.slice(0, -1) : issuer
}

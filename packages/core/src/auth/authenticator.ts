import { type AuthRequest, type AuthRequestLike, isFrameworkRequest, toAuthRequest } from '../base/auth-request.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { identifierOption, knownOptions, objectOption } from '../base/options.ts'
import { valueText } from '../base/provider-key.ts'
import { signatureAlgorithms } from '../jwks/verification-key.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { internals, internalsOf, type Registry } from '../registry/registry.ts'
import { providersByIssuer, type Tenant } from '../tenants/tenant-directory.ts'
import { type AcceptedTenant, createTenantLookup } from '../tenants/tenant-lookup.ts'
import { isTenantFromIssuer } from '../tenants/tenant-resolvers.ts'
import type { AccessTokenClaims, Auth } from './auth.ts'
import type { JwksAuthOptions } from './auth-options.ts'
import {
  type AuthProvider,
  type AuthTenants,
  type CheckedProvider,
  checkProviders,
  checkResolver,
  createAlgorithmSets,
  createIssuerIndex,
  createIssuerMismatchReports,
  type ProviderRegistry,
} from './auth-providers.ts'
import { createAuthentication } from './authenticate.ts'
import {
  type CheckedAuthOptions,
  type CheckedLookup,
  checkAuthOptions,
  checkLookedUpTenant,
  DEFAULT_NAME,
} from './check-auth-options.ts'
import { expandIssuers } from './claim-rules.ts'
import type { AuthOutcome, RefusingAuthenticator, VerifyOutcome } from './refusal.ts'
import { createInvalidations, type UntilInvalidOptions } from './until-invalid.ts'

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
function createLookedUpTenants(registry: ProviderRegistry, lookup: CheckedLookup): AuthTenants {
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
function createTenants(registry: ProviderRegistry, options: CheckedAuthOptions): ResolvedTenants {
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

/** Options of `authenticator.verify`. */
export interface VerifyOptions {
  /**
   * The tenant that the token must come from. Absent: the only tenant, or the tenant whose issuer the token has. Where two
   * tenants share an issuer, it is required: a token without it is refused with `ERR_TENANT_NOT_DETERMINED`.
   */
  readonly tenant?: string | undefined
}

/** Authenticates requests of any framework. */
export interface Authenticator<Claims = AccessTokenClaims> extends RefusingAuthenticator {
  /**
   * Authenticates a request: an `AuthRequest`, whose header names may be in any case, or a fetch `Request`. A refusal is an
   * outcome. Returns a promise only where something has to be waited for: keys to be fetched, an asynchronous callback, or a
   * signature that is checked on the thread pool.
   *
   * @throws TypeError for anything else than a request; what a callback of the application threw, wrapped in an `Error` if
   *   it is not one. The promise rejects with the same.
   */
  authenticate(request: AuthRequestLike): AuthOutcome<Claims> | Promise<AuthOutcome<Claims>>
  /**
   * Verifies a token that comes without an HTTP request: from a socket, a queue or a file. The same as `authenticate` once
   * the token is extracted: size, tenant, provider, claims, signature, `validate` and `isRevoked`, which sees a request
   * whose `method` and `url` are `''` and which has no headers. The options `getToken`, `credentialsRequired` and `tenant`
   * have no effect. What a client may have sent is never an exception: no token is `ERR_TOKEN_MISSING`, anything but a
   * string `ERR_TOKEN_MALFORMED`.
   *
   * @param token the token alone, without `Bearer`
   * @throws TypeError for unknown options; what a callback of the application threw. The promise rejects with the same.
   */
  verify(token: string, options?: VerifyOptions): VerifyOutcome<Claims> | Promise<VerifyOutcome<Claims>>
  /**
   * Looks a tenant up again at its next request, instead of when `tenantCache.ttl` has passed; until that succeeds, its last
   * configuration is kept. Without effect where `tenants` is not a function.
   *
   * @throws TypeError for what cannot be the name of a tenant
   */
  invalidateTenant(tenant: string): void
  /**
   * Waits until a token is no longer valid, for connections that outlive the request that opened them. Resolves with the
   * reason: the token expires by its `exp` (or `maxTokenAge`), its key is withdrawn by the provider or revoked, its
   * provider is removed, or the authenticator closes. A key that is revoked here counts at once, one that another process
   * revokes within five seconds. While the keys are due for a refresh they are refreshed, as requests would do; an outage
   * of the provider alone ends no connection. `isRevoked` is not called. An abort of the signal rejects with its reason
   * and leaves nothing behind. Costs no timer of its own, and does not keep the process alive: the connection does.
   *
   * @param auth what this authenticator has returned, not a copy
   * @throws TypeError for anything else (the promise rejects)
   */
  untilInvalid(auth: Auth<Claims>, options?: UntilInvalidOptions): Promise<JwksAuthError>
  /** The registry that holds the keys: the one given, or one created here. */
  readonly registry: Registry
  /**
   * Drops the cached tokens, and closes the registry if it was created here. Every request is refused afterwards with
   * `ERR_REGISTRY_CLOSED` (503), also those that are waiting.
   */
  close(): Promise<void>
}

/**
 * Creates an authenticator, the part of every adapter that is independent of the framework.
 *
 * @throws TypeError that names a wrong option
 */
export function createAuthenticator<Claims = AccessTokenClaims>(
  options: JwksAuthOptions<Claims>,
): Authenticator<Claims> {
  const checked = checkAuthOptions(options)
  const { passErrors, registryOptions } = checked
  const registry = registryOptions === undefined ? internalsOf(checked.registry) : createRegistry(registryOptions)
  const registryInternals = internalsOf(registry)[internals]
  const { tenants, resolveTenant, tenantOfIssuer, reportIssuer } = createTenants(registryInternals, checked)
  const authentication = createAuthentication<Claims>({
    clock: registryInternals.clock,
    registry: registryInternals,
    options: checked,
    tenants,
    resolveTenant,
    tenantOfIssuer,
    reportIssuer,
  })
  const invalidations = createInvalidations(registryInternals.clock, registryInternals)
  return {
    registry,
    passErrors,
    authenticate: (request) =>
      authentication.authenticate(isFrameworkRequest(request) ? request : toAuthRequest(request)),
    verify(token, verifyOptions = {}) {
      const given = objectOption('verify options', verifyOptions)
      knownOptions('verify', given, ['tenant'])
      return authentication.verify({ token, tenant: given['tenant'] })
    },
    untilInvalid: (auth, untilOptions = {}) => invalidations.untilInvalid(auth, untilOptions),
    now: () => registryInternals.clock.now(),
    refuse: (error, request, auth) => authentication.refuse(error, request, auth),
    invalidateTenant: (tenant) => tenants.invalidate(identifierOption('tenant', tenant)),
    async close() {
      authentication.close()
      tenants.close()
      invalidations.close()
      if (registryOptions !== undefined) await registry.close()
    },
  }
}

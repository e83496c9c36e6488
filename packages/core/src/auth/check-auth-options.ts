import {
  anyValue,
  boolean,
  type Complete,
  callback,
  functionOption,
  identifierOption,
  integer,
  isObject,
  knownOptions,
  memberOptions,
  type OptionTable,
  objectOption,
  optional,
  readOptions,
  stringListOption,
  stringOption,
  type Unchecked,
} from '../base/options.ts'
import { parseUrl } from '../http/url-rules.ts'
import { checkEffects, mergeProviderOptions, providerOptionNames } from '../registry/provider-options.ts'
import { providerLocationNames } from '../registry/registration.ts'
import { registryOptionNames } from '../registry/registry-options.ts'
import { type TenantCacheBounds, tenantCacheTable } from '../tenants/tenant-lookup.ts'
import type { TenantResolver } from '../tenants/tenant-resolvers.ts'
import type { MultiTenantOptions, RequestOptions, TokenCacheOptions } from './auth-options.ts'
import type { CheckedProvider } from './auth-providers.ts'
import type { ClaimsSchema, IsRevoked, OnRefused, Validate } from './callbacks.ts'
import {
  checkImpliedScopes,
  checkScopeSource,
  type ScopeReader,
  scopeOption,
  standardScopes,
  withImplied,
} from './check-claims.ts'
import { type ClaimRules, checkClaimRules, checkIssuerTemplate, claimRuleNames } from './claim-rules.ts'
import type { ChallengeParameters } from './refusal.ts'
import { type TokenSource, tokenFromHeader } from './token-sources.ts'

/** The options of a provider, in the short form or of a tenant. */
const providerConfigNames: readonly string[] = Object.freeze([
  ...providerLocationNames,
  ...providerOptionNames,
  ...claimRuleNames,
])

/** The name of the tenant and of its provider in the short form. */
export const DEFAULT_NAME = 'default'

/** The option `tenants` as a function, and what goes with it. */
export interface CheckedLookup {
  readonly lookUp: (tenant: string) => unknown
  readonly bounds: TenantCacheBounds
  /** The options beside `tenants`. */
  readonly providerDefaults: Unchecked
  /** The claim rules beside `tenants`. */
  readonly defaultRules: ClaimRules
}

/**
 * Checks the option `tenants` as a record.
 *
 * @throws TypeError that names the option
 */
function checkTenants(value: unknown, providerDefaults: Unchecked): readonly CheckedProvider[] {
  const tenants = Object.entries(objectOption('tenants', value))
  if (tenants.length === 0) throw new TypeError('tenants must have at least one tenant')
  const rulesOf = createSharedRules()
  return tenants.flatMap(([tenant, config]) => {
    identifierOption(`tenants: the name ${JSON.stringify(tenant)}`, tenant)
    return checkTenant(tenant, config, providerDefaults, rulesOf)
  })
}

/**
 * Checks the option `tenants` as a function. What is beside it is checked now, not with the first tenant.
 *
 * @throws TypeError that names the option
 */
function checkLookup(lookUp: unknown, bounds: TenantCacheBounds, providerDefaults: Unchecked): CheckedLookup {
  return {
    lookUp: lookUp as CheckedLookup['lookUp'],
    bounds,
    providerDefaults,
    // Each tenant may have an audience of its own.
    defaultRules: checkClaimRules('', { audience: false, ...providerDefaults }),
  }
}

/**
 * Checks the configuration of a tenant that was looked up.
 *
 * @throws TypeError that names the option
 */
export function checkLookedUpTenant(
  tenant: string,
  config: unknown,
  { providerDefaults, defaultRules }: CheckedLookup,
): readonly CheckedProvider[] {
  const providers = checkTenant(tenant, config, providerDefaults, checkClaimRules)
  for (const { where, rules } of providers) {
    // Tokens that have expired are refused before a tenant is looked up, and so by the tolerance beside `tenants`.
    if (rules.clockTolerance > defaultRules.clockTolerance) {
      throw new TypeError(`${where}clockTolerance must not be greater than the one beside tenants`)
    }
  }
  return providers
}

function checkTenant(
  tenant: string,
  value: unknown,
  providerDefaults: Unchecked,
  rulesOf: typeof checkClaimRules,
): readonly CheckedProvider[] {
  const where = `tenants.${tenant}`
  const config = objectOption(where, value)
  if (config['providers'] === undefined) {
    return [checkProvider(tenant, DEFAULT_NAME, `${where}.`, config, providerDefaults, rulesOf)]
  }
  knownOptions(where, config, ['providers'])
  const providers = Object.entries(objectOption(`${where}.providers`, config['providers']))
  if (providers.length === 0) throw new TypeError(`${where}.providers must have at least one provider`)
  return providers.map(([provider, ofProvider]) => {
    identifierOption(`${where}.providers: the name ${JSON.stringify(provider)}`, provider)
    const path = `${where}.providers.${provider}`
    return checkProvider(tenant, provider, `${path}.`, objectOption(path, ofProvider), providerDefaults, rulesOf)
  })
}

/**
 * Checks one provider's options.
 *
 * @throws TypeError that names the option
 */
function checkProvider(
  tenant: string,
  provider: string,
  where: string,
  config: Unchecked,
  providerDefaults: Unchecked,
  rulesOf: typeof checkClaimRules = checkClaimRules,
): CheckedProvider {
  knownOptions(where === '' ? 'jwksAuth' : where.slice(0, -1), config, providerConfigNames)
  checkEffects(where, config)
  const merged = mergeProviderOptions(providerDefaults, config)
  if (merged['issuer'] === undefined) {
    throw new TypeError(`${where}issuer is required: exactly the iss of the provider's tokens`)
  }
  // In the short form, all options are given together.
  const ofProvider = checkIssuerTemplate(where, where === '' ? merged : config, merged)
  const registration = { tenant, provider, ...pick(merged, [...providerLocationNames, ...providerOptionNames]) }
  return { tenant, provider, where, registration, rules: rulesOf(where, ofProvider) }
}

/** {@link checkClaimRules} with one object for all providers with the same rules, as most tenants have. */
function createSharedRules(): typeof checkClaimRules {
  const shared = new Map<string, ClaimRules>()
  return (where, given) => {
    const rules = checkClaimRules(where, given)
    // These differ between tenants.
    if (rules.boundClaims.size > 0) return rules
    const text = JSON.stringify(pick(given, claimRuleNames))
    const known = shared.get(text)
    if (known === undefined) shared.set(text, rules)
    return known ?? rules
  }
}

/** The members of these names, without those that are absent. */
function pick(from: Unchecked, names: readonly string[]): Unchecked {
  return Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]))
}

/** {@link TokenCacheOptions}, complete and checked. */
export type TokenCacheBounds = Complete<TokenCacheOptions>

/** Members of the option `tokenCache`. */
export const tokenCacheTable: OptionTable<TokenCacheOptions, TokenCacheBounds> = {
  max: integer({ min: 1, max: 10_000_000 }, 10_000),
  maxBytes: integer({ min: 1 }, 16_777_216),
}

const requestTable = {
  claims: optional(checkSchema),
  validate: optional(callback<Validate>()),
  isRevoked: optional(callback<IsRevoked>()),
  onRefused: optional(callback<OnRefused>()),
  scopes: optional(checkScopeSource, standardScopes),
  impliedScopes: optional(checkImpliedScopes),
  challengeScopes: optional(checkChallengeScopes, []),
  tokenCache: optional(checkTokenCache, readOptions('', {}, tokenCacheTable)),
  credentialsRequired: boolean(true),
  getToken: optional(checkSources, [tokenFromHeader()]),
  maxTokenBytes: integer({ min: 1 }, 16_384),
  realm: optional(checkRealm, 'api'),
  resourceMetadata: optional(checkMetadataUrl),
  passErrors: boolean(false),
  property: optional(stringOption, 'auth'),
} satisfies OptionTable<RequestOptions<unknown>>

/** The options for every request. */
export const requestOptionTable: OptionTable<RequestOptions<unknown>> = requestTable

/** The names of {@link RequestOptions}. */
export const requestOptionNames: readonly string[] = Object.keys(requestTable)

type TenantOptions = Pick<MultiTenantOptions, 'tenants' | 'tenant' | 'tenantCache'>

const tenantTable = {
  tenants: anyValue,
  tenant: optional(callback<TenantResolver>()),
  tenantCache: optional(
    (name, value) => memberOptions(name, value, tenantCacheTable),
    readOptions('', {}, tenantCacheTable),
  ),
} satisfies OptionTable<TenantOptions>

/** The options about tenants. */
export const tenantOptionTable: OptionTable<TenantOptions> = tenantTable

/** The options of `jwksAuth`, complete and checked as far as this needs no registry. */
export interface CheckedAuthOptions {
  /** Empty where tenants are looked up. */
  readonly providers: readonly CheckedProvider[]
  /** Absent unless `tenants` is a function. */
  readonly lookup: CheckedLookup | undefined
  /** Absent where there is one tenant only, or where the default applies. */
  readonly resolver: TenantResolver | undefined
  readonly isSingleTenant: boolean
  /** Absent where a registry was given. */
  readonly registryOptions: Unchecked | undefined
  readonly registry: unknown
  readonly claims: ClaimsSchema | undefined
  readonly validate: Validate | undefined
  readonly isRevoked: IsRevoked | undefined
  readonly onRefused: OnRefused | undefined
  /** By the options `scopes` and `impliedScopes`. */
  readonly scopesOf: ScopeReader
  /** Absent where verified tokens are not cached. */
  readonly tokenCache: TokenCacheBounds | undefined
  readonly credentialsRequired: boolean
  readonly sources: readonly TokenSource[]
  readonly maxTokenBytes: number
  readonly challenge: ChallengeParameters
  readonly passErrors: boolean
}

const knownNames = [
  ...providerConfigNames,
  ...Object.keys(tenantTable),
  ...requestOptionNames,
  'registry',
  ...registryOptionNames,
]

/**
 * Checks the options of `jwksAuth`.
 *
 * @throws TypeError that names the option
 */
export function checkAuthOptions(value: unknown): CheckedAuthOptions {
  const given = objectOption('options', value)
  knownOptions('jwksAuth', given, knownNames)
  const { registryOptions, providerDefaults } = splitRegistryOptions(given)
  const isSingleTenant = given['tenants'] === undefined
  const providers = checkProviders(given, providerDefaults)
  const { scopes, impliedScopes, getToken, realm, challengeScopes, resourceMetadata, ...request } = readOptions(
    '',
    given,
    requestTable,
  )
  return {
    ...providers,
    isSingleTenant,
    registryOptions,
    registry: given['registry'],
    ...request,
    scopesOf: impliedScopes === undefined ? scopes : (claims) => withImplied(scopes(claims), impliedScopes),
    sources: getToken,
    challenge: { realm, scopes: challengeScopes, resourceMetadata },
  }
}

/** `requireHttps` and `allowedDomains` belong to a registry that is created here, and to each provider where one is given. */
function splitRegistryOptions(given: Unchecked) {
  if (given['registry'] === undefined) {
    // An explicit `undefined` is checked there.
    const integrityKey = Object.hasOwn(given, 'integrityKey') ? { integrityKey: given['integrityKey'] } : {}
    const registryOptions = { ...pick(given, registryOptionNames), ...integrityKey }
    const ofProviders = providerOptionNames.filter((name) => !registryOptionNames.includes(name))
    return { registryOptions, providerDefaults: pick(given, [...ofProviders, ...claimRuleNames]) }
  }
  for (const name of registryOptionNames) {
    if (given[name] !== undefined && !(providerOptionNames as readonly string[]).includes(name)) {
      throw new TypeError(`${name} cannot be set beside registry: it is an option of createRegistry`)
    }
  }
  return { registryOptions: undefined, providerDefaults: pick(given, [...providerOptionNames, ...claimRuleNames]) }
}

/** The providers of the short form or of `tenants`. */
function checkProviders(
  given: Unchecked,
  providerDefaults: Unchecked,
): Pick<CheckedAuthOptions, 'providers' | 'lookup' | 'resolver'> {
  const { tenants, tenantCache } = given
  const isLookup = typeof tenants === 'function'
  if (tenantCache !== undefined && !isLookup)
    throw new TypeError('tenantCache has no effect unless tenants is a function')
  const none = { lookup: undefined, resolver: undefined }
  if (tenants === undefined) return { ...none, providers: [singleProvider(given, providerDefaults)] }
  for (const name of providerLocationNames) {
    if (given[name] !== undefined) throw new TypeError(`${name} cannot be set beside tenants: each tenant has its own`)
  }
  const { tenant: resolver, tenantCache: bounds } = readOptions('', given, tenantTable)
  if (isLookup) return { providers: [], lookup: checkLookup(tenants, bounds, providerDefaults), resolver }
  return { ...none, providers: checkTenants(tenants, providerDefaults), resolver }
}

function singleProvider(given: Unchecked, providerDefaults: Unchecked): CheckedProvider {
  if (given['tenant'] !== undefined) throw new TypeError('tenant has no effect without tenants')
  return checkProvider(DEFAULT_NAME, DEFAULT_NAME, '', pick(given, providerLocationNames), providerDefaults)
}

function checkSources(name: string, value: unknown): readonly TokenSource[] {
  const sources: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (sources.length === 0) throw new TypeError(`${name} must have at least one source`)
  return sources.map((source) => {
    functionOption(name, source)
    return source as TokenSource
  })
}

function checkSchema(name: string, value: unknown): ClaimsSchema {
  const standard = (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
  if (!standard) throw new TypeError(`${name} must be a Standard Schema, such as one of zod, valibot or arktype`)
  return value as ClaimsSchema
}

/** `undefined` for `false`. */
function checkTokenCache(name: string, value: unknown): TokenCacheBounds | undefined {
  if (value === false) return undefined
  if (!isObject(value)) throw new TypeError(`${name} must be an object or false`)
  return memberOptions(name, value, tokenCacheTable)
}

function checkRealm(name: string, value: unknown): string {
  const realm = stringOption(name, value)
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(realm)) return realm
  throw new TypeError(`${name} must be printable ASCII without quotation marks and backslashes`)
}

function checkChallengeScopes(name: string, value: unknown): readonly string[] {
  return stringListOption(name, value).map((scope) => scopeOption(name, scope))
}

function checkMetadataUrl(name: string, value: unknown): string {
  const url = parseUrl(stringOption(name, value))
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new TypeError(`${name} must be an absolute URL`)
  // As URLs are written: without anything that could end the quoted string that it goes into.
  return url.href.replaceAll('"', '%22').replaceAll('\\', '%5C')
}

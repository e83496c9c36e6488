import {
  booleanOption,
  functionOption,
  integerOption,
  knownOptions,
  objectOption,
  stringListOption,
  stringOption,
  type Unchecked,
  withDefault,
} from '../base/options.ts'
import { parseUrl } from '../http/url-rules.ts'
import { providerLocationNames } from '../registry/provider-location.ts'
import { providerOptionNames } from '../registry/provider-options.ts'
import { registryOptionNames } from '../registry/registry-options.ts'
import type { TenantResolver } from '../tenants/tenant-resolver.ts'
import { requestOptionNames, type TokenCacheOptions } from './auth-options.ts'
import type { CheckedProvider } from './auth-providers.ts'
import type { ClaimsSchema, IsRevoked, OnRefused, Validate } from './callbacks.ts'
import {
  type CheckedLookup,
  checkLookup,
  checkProvider,
  checkTenants,
  DEFAULT_NAME,
  pick,
  providerConfigNames,
} from './check-tenants.ts'
import { claimRuleNames } from './claim-rules.ts'
import type { ChallengeParameters } from './refusal.ts'
import { createScopeReader, type ScopeReader, scopeOption } from './scopes.ts'
import { type TokenSource, tokenFromHeader } from './token-sources.ts'

/** {@link TokenCacheOptions}, complete and checked. */
export type TokenCacheBounds = { readonly [Name in keyof TokenCacheOptions]-?: number }

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
  readonly property: string
}

const tenantOptionNames = ['tenants', 'tenant', 'tenantCache']
const knownNames: readonly string[] = [
  ...new Set([
    ...[...providerConfigNames, ...tenantOptionNames, ...requestOptionNames],
    ...['registry', ...registryOptionNames],
  ]),
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
  return {
    ...checkProviders(given, providerDefaults),
    resolver: checkResolver(given['tenant'], isSingleTenant),
    isSingleTenant,
    registryOptions,
    registry: given['registry'],
    claims: checkSchema(given['claims']),
    validate: checkCallback('validate', given['validate']) as Validate | undefined,
    isRevoked: checkCallback('isRevoked', given['isRevoked']) as IsRevoked | undefined,
    onRefused: checkCallback('onRefused', given['onRefused']) as OnRefused | undefined,
    scopesOf: createScopeReader(given['scopes'], given['impliedScopes']),
    tokenCache: checkTokenCache(given['tokenCache']),
    credentialsRequired: booleanOption('credentialsRequired', withDefault(given['credentialsRequired'], true)),
    sources: checkSources(given['getToken']),
    maxTokenBytes: integerOption('maxTokenBytes', withDefault(given['maxTokenBytes'], 16_384), { min: 1 }),
    challenge: {
      realm: checkRealm(given['realm']),
      scopes: checkChallengeScopes(given['challengeScopes']),
      resourceMetadata: checkMetadataUrl(given['resourceMetadata']),
    },
    passErrors: booleanOption('passErrors', withDefault(given['passErrors'], false)),
    property: stringOption('property', withDefault(given['property'], 'auth')),
  }
}

/** `requireHttps` and `allowedDomains` belong to a registry that is created here, and to each provider where one is given. */
function splitRegistryOptions(given: Unchecked) {
  if (given['registry'] === undefined) {
    // An explicit `undefined` is checked there.
    const integrityKey = Object.hasOwn(given, 'integrityKey') ? { integrityKey: given['integrityKey'] } : {}
    const registryOptions = { ...pick(given, registryOptionNames), ...integrityKey }
    const ofProviders = providerOptionNames.filter((name) => !(registryOptionNames as readonly string[]).includes(name))
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
): Pick<CheckedAuthOptions, 'providers' | 'lookup'> {
  const { tenants, tenantCache } = given
  const isLookup = typeof tenants === 'function'
  if (tenantCache !== undefined && !isLookup)
    throw new TypeError('tenantCache has no effect unless tenants is a function')
  if (tenants === undefined) return { providers: [singleProvider(given, providerDefaults)], lookup: undefined }
  for (const name of providerLocationNames) {
    if (given[name] !== undefined) throw new TypeError(`${name} cannot be set beside tenants: each tenant has its own`)
  }
  return isLookup
    ? { providers: [], lookup: checkLookup(tenants, tenantCache, providerDefaults) }
    : { providers: checkTenants(tenants, providerDefaults), lookup: undefined }
}

function singleProvider(given: Unchecked, providerDefaults: Unchecked): CheckedProvider {
  if (given['tenant'] !== undefined) throw new TypeError('tenant has no effect without tenants')
  return checkProvider(DEFAULT_NAME, DEFAULT_NAME, '', pick(given, providerLocationNames), providerDefaults)
}

function checkResolver(value: unknown, isSingleTenant: boolean): TenantResolver | undefined {
  if (isSingleTenant || value === undefined) return undefined
  functionOption('tenant', value)
  return value as TenantResolver
}

function checkSources(value: unknown): readonly TokenSource[] {
  if (value === undefined) return [tokenFromHeader()]
  const sources: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (sources.length === 0) throw new TypeError('getToken must have at least one source')
  return sources.map((source) => {
    functionOption('getToken', source)
    return source as TokenSource
  })
}

function checkCallback(name: string, value: unknown): unknown {
  if (value !== undefined) functionOption(name, value)
  return value
}

function checkSchema(value: unknown): ClaimsSchema | undefined {
  if (value === undefined) return undefined
  const standard = (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
  if (!standard) throw new TypeError('claims must be a Standard Schema, such as one of zod, valibot or arktype')
  return value as ClaimsSchema
}

/** `undefined` for `false`. */
function checkTokenCache(value: unknown): TokenCacheBounds | undefined {
  if (value === false) return undefined
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    throw new TypeError('tokenCache must be an object or false')
  }
  const given = objectOption('tokenCache', withDefault(value, {}))
  knownOptions('tokenCache', given, ['max', 'maxBytes'])
  return Object.freeze({
    max: integerOption('tokenCache.max', withDefault(given['max'], 10_000), { min: 1, max: 10_000_000 }),
    maxBytes: integerOption('tokenCache.maxBytes', withDefault(given['maxBytes'], 16_777_216), { min: 1 }),
  })
}

function checkRealm(value: unknown): string {
  if (value === undefined) return 'api'
  const realm = stringOption('realm', value)
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(realm)) {
    throw new TypeError('realm must be printable ASCII without quotation marks and backslashes')
  }
  return realm
}

function checkChallengeScopes(value: unknown): readonly string[] {
  if (value === undefined) return []
  return stringListOption('challengeScopes', value).map((scope) => scopeOption('challengeScopes', scope))
}

function checkMetadataUrl(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const url = parseUrl(stringOption('resourceMetadata', value))
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TypeError('resourceMetadata must be an absolute URL')
  }
  // As URLs are written: without anything that could end the quoted string that it goes into.
  return url.href.replaceAll('"', '%22').replaceAll('\\', '%5C')
}

import { isObject, readOptions, type Unchecked } from '../base/options.ts'
import { isWithin } from '../http/url-rules.ts'
import { providerOptionTable, type ReadProviderOptions } from './provider-options.ts'

/** A provider's options, complete and checked, also against the rules of the registry. */
export interface CheckedProviderOptions extends ReadProviderOptions {
  readonly requireHttps: boolean
  readonly allowedDomains: readonly string[]
}

/** What holds for every provider of a registry; a provider's own options can only be stricter. */
export interface RegistryRules {
  readonly requireHttps: boolean
  readonly allowedDomains: readonly string[]
  /** True where a dispatcher of the application's makes the connections. */
  readonly hasDispatcher: boolean
  /** False on a runtime where rules about connections are not reliably enforced: Bun. */
  readonly canGuardConnections: boolean
}

/** `maxKeys` where keys are immutable, so that they are never removed. */
const MAX_IMMUTABLE_KEYS = 100

/**
 * Checks every member of `given` that is a provider's option, and fills in the defaults.
 *
 * @param where prefix of the names in messages, such as `"tenants.acme."`
 * @throws TypeError that names the option
 */
export function checkProviderOptions(where: string, given: Unchecked, rules: RegistryRules): CheckedProviderOptions {
  for (const name of connectionOptionNames) {
    if (rules.hasDispatcher && given[name] !== undefined) {
      throw new TypeError(`${where}${name} has no effect beside dispatcher, which makes the connections itself`)
    }
  }
  const options = readOptions(where, given, providerOptionTable)
  const { keyLifetime, minTtl, maxTtl, pinnedSpki, requireHttps = rules.requireHttps } = options
  const maxKeys = keyLifetime === 'immutable' && given['maxKeys'] === undefined ? MAX_IMMUTABLE_KEYS : options.maxKeys
  if (rules.requireHttps && !requireHttps) {
    throw new TypeError(`${where}requireHttps cannot be false while the registry's requireHttps is true`)
  }
  const allowedDomains = narrowDomains(`${where}allowedDomains`, options.allowedDomains ?? [], rules.allowedDomains)
  if (minTtl > maxTtl) throw new TypeError(`${where}minTtl must not be greater than maxTtl`)
  // Only TLS has keys that could be pinned.
  return Object.freeze({ ...options, maxKeys, requireHttps: requireHttps || pinnedSpki.length > 0, allowedDomains })
}

/** Options about connections, which a dispatcher makes by itself. */
export const connectionOptionNames: readonly string[] = Object.freeze(['network', 'allowAddresses', 'pinnedSpki', 'ca'])

/** Options about when keys expire. */
const EXPIRY_OPTIONS = [
  'refreshEarly',
  'prefetchJitter',
  'staleWhileError',
  'maxStale',
  'minTtl',
  'maxTtl',
  'defaultTtl',
]

/** Options about fetching, without effect on inline keys. */
const FETCH_OPTIONS = [
  ...['prefetch', 'keyLifetime', 'negativeCacheTtl', 'unknownKidCooldown', 'maxResponseBytes', 'maxRedirects'],
  ...['retryPolicy', 'network', 'allowAddresses', 'pinnedSpki', 'headers', 'ca'],
]

/**
 * Refuses options that have no effect beside another one. Only for what stands in one object: a default for many providers
 * may have no effect on some of them.
 *
 * @throws TypeError that names both options
 */
export function checkEffects(where: string, given: Unchecked): void {
  const refuse = (names: readonly string[], reason: string): void => {
    // 0 stands for none, which is what the other option implies.
    const found = names.find((name) => given[name] !== undefined && given[name] !== 0)
    if (found !== undefined) throw new TypeError(`${where}${found} has no effect beside ${reason}`)
  }
  if (given['jwks'] !== undefined) {
    refuse([...EXPIRY_OPTIONS, ...FETCH_OPTIONS], 'jwks: inline keys are never fetched and do not expire')
  }
  if (given['keyLifetime'] === 'immutable') refuse(EXPIRY_OPTIONS, "keyLifetime: 'immutable': such keys do not expire")
}

/** Fills a provider's gaps from defaults; `retryPolicy` merges member by member. */
export function mergeProviderOptions(defaults: Unchecked, given: Unchecked): Unchecked {
  const present = Object.entries(given).filter(([, value]) => value !== undefined)
  const merged: Record<string, unknown> = { ...defaults, ...Object.fromEntries(present) }
  const [retryDefaults, retryGiven] = [defaults['retryPolicy'], given['retryPolicy']]
  if (isObject(retryDefaults) && isObject(retryGiven)) {
    merged['retryPolicy'] = mergeProviderOptions(retryDefaults, retryGiven)
  }
  return merged
}

function narrowDomains(name: string, own: readonly string[], ofRegistry: readonly string[]): readonly string[] {
  if (own.length === 0) return ofRegistry
  if (ofRegistry.length === 0) return own
  const narrowed = [
    ...own.filter((domain) => ofRegistry.some((outer) => isWithin(domain, outer))),
    ...ofRegistry.filter((outer) => own.some((domain) => domain !== outer && isWithin(outer, domain))),
  ]
  if (narrowed.length === 0) throw new TypeError(`${name} has nothing in common with the registry's allowedDomains`)
  return narrowed
}

import {
  type Bounds,
  booleanOption,
  choiceOption,
  integerOption,
  isObject,
  knownOptions,
  objectOption,
  stringListOption,
  stringsOption,
  type Unchecked,
} from '../base/options.ts'
import { isAddressOrBlock, type Network } from '../http/address-rules.ts'
import type { CertificateAuthorities } from '../http/connection.ts'
import { isSpkiHash } from '../http/pinned-keys.ts'
import { headersFault, type RequestHeaders } from '../http/request-headers.ts'
import { splitPem } from '../http/trust-anchors.ts'
import { canonicalDomain, isWithin } from '../http/url-rules.ts'
import { type SignatureAlgorithm, signatureAlgorithms } from '../jwks/algorithms.ts'
import type { CacheOptions, RetryPolicy } from '../jwks-cache/cache-options.ts'
import { providerDefaults } from './provider-options.ts'

/** A provider's options, complete and checked. */
export interface CheckedProviderOptions extends CacheOptions {
  readonly maxResponseBytes: number
  readonly maxRedirects: number
  readonly requireHttps: boolean
  readonly allowedDomains: readonly string[]
  /** Absent where the operator did not say. */
  readonly network: Network | undefined
  readonly allowAddresses: readonly string[]
  /** In one order, each once. */
  readonly pinnedSpki: readonly string[]
  readonly headers: RequestHeaders | undefined
  /** Certificates in PEM form, one in each text, or a function. */
  readonly ca: CertificateAuthorities | undefined
  readonly algorithms: readonly SignatureAlgorithm[]
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

/** Ten years, in milliseconds: a longer duration is a mistake. */
const LONGEST = 315_360_000_000

/** `maxKeys` where keys are immutable, so that they are never removed. */
const MAX_IMMUTABLE_KEYS = 100

const numbers: Readonly<Record<string, Bounds>> = Object.freeze({
  refreshEarly: { min: 0, max: LONGEST },
  prefetchJitter: { min: 0, max: LONGEST },
  staleWhileError: { min: 0, max: LONGEST },
  maxStale: { min: 0, max: LONGEST },
  minTtl: { min: 1_000, max: LONGEST },
  maxTtl: { min: 1_000, max: LONGEST },
  defaultTtl: { min: 1_000, max: LONGEST },
  negativeCacheTtl: { min: 0, max: LONGEST },
  unknownKidCooldown: { min: 1, max: LONGEST },
  maxResponseBytes: { min: 1 },
  maxKeys: { min: 1 },
  maxRedirects: { min: 0, max: 10 },
})

const retryNumbers: Readonly<Record<string, Bounds>> = Object.freeze({
  maxRetries: { min: 0, max: 100 },
  attemptTimeout: { min: 1, max: LONGEST },
  initialBackoff: { min: 1, max: LONGEST },
  maxBackoff: { min: 1, max: LONGEST },
  deadline: { min: 1, max: LONGEST },
})

const retryOptionNames = Object.keys(providerDefaults.retryPolicy)

/**
 * Checks every member of `given` that is a provider's option, and fills in the defaults.
 *
 * @param where prefix of the names in messages, such as `"tenants.acme."`
 * @throws TypeError that names the option
 */
export function checkProviderOptions(where: string, given: Unchecked, rules: RegistryRules): CheckedProviderOptions {
  const options: Record<string, unknown> = { ...providerDefaults }
  for (const [name, bounds] of Object.entries(numbers)) {
    if (given[name] !== undefined) options[name] = integerOption(where + name, given[name], bounds)
  }
  if (given['prefetch'] !== undefined) {
    options['prefetch'] = choiceOption(`${where}prefetch`, given['prefetch'], ['active', 'always', 'never'])
  }
  if (given['keyLifetime'] !== undefined) {
    options['keyLifetime'] = choiceOption(`${where}keyLifetime`, given['keyLifetime'], ['http', 'immutable'])
  }
  if (options['keyLifetime'] === 'immutable' && given['maxKeys'] === undefined) options['maxKeys'] = MAX_IMMUTABLE_KEYS
  const checked = {
    ...(options as unknown as CacheOptions & { readonly maxResponseBytes: number; readonly maxRedirects: number }),
    retryPolicy: checkRetryPolicy(`${where}retryPolicy`, given['retryPolicy']),
    ...checkTransportOptions(where, given, rules),
    algorithms: checkAlgorithms(`${where}algorithms`, given['algorithms']),
  }
  if (checked.minTtl > checked.maxTtl) throw new TypeError(`${where}minTtl must not be greater than maxTtl`)
  return Object.freeze(checked)
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

/** Domain names, canonical. */
export function checkDomains(name: string, value: unknown): readonly string[] {
  return stringListOption(name, value).map((domain, index) => {
    const canonical = canonicalDomain(domain)
    if (canonical === undefined) throw new TypeError(`${name}[${index}] must be a host name such as "example.com"`)
    return canonical
  })
}

function checkRetryPolicy(where: string, value: unknown): RetryPolicy {
  if (value === undefined) return providerDefaults.retryPolicy
  const given = objectOption(where, value)
  knownOptions(where, given, retryOptionNames)
  const policy: Record<string, unknown> = { ...providerDefaults.retryPolicy }
  for (const [name, bounds] of Object.entries(retryNumbers)) {
    if (given[name] !== undefined) policy[name] = integerOption(`${where}.${name}`, given[name], bounds)
  }
  if (given['jitter'] !== undefined) {
    policy['jitter'] = choiceOption(`${where}.jitter`, given['jitter'], ['none', 'full', 'decorrelated'])
  }
  const checked = policy as unknown as RetryPolicy
  if (checked.initialBackoff > checked.maxBackoff) {
    throw new TypeError(`${where}.initialBackoff must not be greater than maxBackoff`)
  }
  return Object.freeze(checked)
}

function checkTransportOptions(where: string, given: Unchecked, rules: RegistryRules) {
  for (const name of connectionOptionNames) {
    if (rules.hasDispatcher && given[name] !== undefined) {
      throw new TypeError(`${where}${name} has no effect beside dispatcher, which makes the connections itself`)
    }
  }
  const requireHttps =
    given['requireHttps'] === undefined
      ? rules.requireHttps
      : booleanOption(`${where}requireHttps`, given['requireHttps'])
  if (rules.requireHttps && !requireHttps) {
    throw new TypeError(`${where}requireHttps cannot be false while the registry's requireHttps is true`)
  }
  const pinnedSpki = checkPins(`${where}pinnedSpki`, given['pinnedSpki'])
  return {
    // Only TLS has keys that could be pinned.
    requireHttps: requireHttps || pinnedSpki.length > 0,
    allowedDomains: narrowDomains(`${where}allowedDomains`, given['allowedDomains'], rules.allowedDomains),
    network:
      given['network'] === undefined ? undefined : choiceOption(`${where}network`, given['network'], ['public', 'any']),
    allowAddresses: checkAddresses(`${where}allowAddresses`, given['allowAddresses']),
    pinnedSpki,
    headers: checkHeaders(`${where}headers`, given['headers']),
    ca: checkAuthorities(`${where}ca`, given['ca']),
  }
}

function checkHeaders(name: string, value: unknown): RequestHeaders | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'function') return value as RequestHeaders
  const fault = headersFault(value)
  if (fault !== undefined) throw new TypeError(`${name} ${fault}`)
  return Object.freeze({ ...(value as Readonly<Record<string, string>>) })
}

function checkAuthorities(name: string, value: unknown): CertificateAuthorities | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'function') return value as CertificateAuthorities
  const certificates = splitPem(stringsOption(name, value))
  if (certificates === undefined) throw new TypeError(`${name} must be certificates in PEM form, or a function`)
  return Object.freeze(certificates)
}

function narrowDomains(name: string, value: unknown, ofRegistry: readonly string[]): readonly string[] {
  const own = value === undefined ? [] : checkDomains(name, value)
  if (own.length === 0) return ofRegistry
  if (ofRegistry.length === 0) return own
  const narrowed = [
    ...own.filter((domain) => ofRegistry.some((outer) => isWithin(domain, outer))),
    ...ofRegistry.filter((outer) => own.some((domain) => domain !== outer && isWithin(outer, domain))),
  ]
  if (narrowed.length === 0) throw new TypeError(`${name} has nothing in common with the registry's allowedDomains`)
  return narrowed
}

function checkAddresses(name: string, value: unknown): readonly string[] {
  if (value === undefined) return []
  return stringListOption(name, value).map((entry, index) => {
    if (!isAddressOrBlock(entry)) throw new TypeError(`${name}[${index}] must be an IP address or a CIDR block`)
    return entry
  })
}

function checkPins(name: string, value: unknown): readonly string[] {
  if (value === undefined) return []
  const pins = stringListOption(name, value)
  for (const [index, pin] of pins.entries()) {
    if (!isSpkiHash(pin)) throw new TypeError(`${name}[${index}] must be the base64 of a SHA-256 hash, 44 characters`)
  }
  return Object.freeze([...new Set(pins)].toSorted())
}

function checkAlgorithms(name: string, value: unknown): readonly SignatureAlgorithm[] {
  if (value === undefined) return signatureAlgorithms
  if (!Array.isArray(value) || value.length === 0) {
    throw new TypeError(`${name} must be a list of at least one signature algorithm`)
  }
  return Object.freeze(value.map((item, index) => choiceOption(`${name}[${index}]`, item, signatureAlgorithms)))
}

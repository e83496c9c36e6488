import {
  boolean,
  type Complete,
  choice,
  choiceOption,
  integer,
  isObject,
  type OptionTable,
  optional,
  readOptions,
  stringListOption,
  stringsOption,
  type Unchecked,
} from '../base/options.ts'
import { isAddressOrBlock, type Network } from '../http/addresses.ts'
import { type CertificateAuthorities, isSpkiHash, splitPem } from '../http/connection.ts'
import { headersFault, type RequestHeaders } from '../http/transport.ts'
import { canonicalDomain, isWithin } from '../http/url-rules.ts'
import { type SignatureAlgorithm, signatureAlgorithms } from '../jwks/verification-key.ts'
import { cacheOptionTable, type KeyCacheOptions, type RetryPolicy } from '../jwks-cache/cache-options.ts'

/** What can be set for one provider, or for all in `defaults`. Durations are milliseconds, whole numbers. */
export interface ProviderOptions extends KeyCacheOptions {
  /** Bytes of a decoded response body, enforced while it streams; at least 1. Default 1 048 576. */
  readonly maxResponseBytes?: number | undefined
  /** Redirects followed, 0 to 10; each target is checked like the first URL. Default 3. */
  readonly maxRedirects?: number | undefined
  /** Only `https:` URLs. Default: the registry's; a provider may be stricter, never laxer. */
  readonly requireHttps?: boolean | undefined
  /**
   * Hosts to which requests may go, each with everything below it; empty for any. Default: the registry's; a provider's
   * list narrows that further, never widens it.
   */
  readonly allowedDomains?: readonly string[] | undefined
  /**
   * `'public'` connects only to globally reachable unicast addresses, checked after name resolution; `'any'` to all
   * but the clouds' metadata services. Default: `'public'` for `registry.register` and for redirects and discovered
   * URIs at another origin, `'any'` for what an authenticator's options name.
   */
  readonly network?: Network | undefined
  /** IP addresses and CIDR blocks that are exempt from the address rules. Default none. */
  readonly allowAddresses?: readonly string[] | undefined
  /**
   * Base64 of the SHA-256 of a public key's SubjectPublicKeyInfo (RFC 7469 §2.4), 44 characters; several so that there
   * is a backup. One of these keys has to be on the path by which the server's certificate was verified, from its own
   * key to the authority's, for the metadata, the key set and every redirect, and there is no `http:` then, whatever
   * `requireHttps` says. Where a certificate is cross-signed, so that there are several paths, each has to have one.
   * Not beside `dispatcher`. Default none.
   *
   * ```sh
   * openssl x509 -in certificate.pem -pubkey -noout | openssl pkey -pubin -outform der |
   *   openssl dgst -sha256 -binary | openssl base64
   * ```
   */
  readonly pinnedSpki?: readonly string[] | undefined
  /**
   * Request headers for the key set and the metadata: a record, or a function that is called for each fetch and may be
   * async. Sent to the configured origin only (that of `jwksUri`, `metadataUri` or `issuer`), not to the target of a
   * redirect or to a discovered `jwks_uri` at another origin. Headers of the connection and of the message framing, such
   * as `Host` and `Content-Length`, are a `TypeError`. Values appear in no event, status, error or snapshot. Default none.
   */
  readonly headers?: RequestHeaders | undefined
  /**
   * The certificate authorities for this provider instead of Node's: PEM text, a list of such, or a function that is
   * called for each new connection and may be async. Not beside `dispatcher`. Default: Node's authorities.
   */
  readonly ca?: CertificateAuthorities | undefined
  /** Signature algorithms that tokens may have. Default: all of {@link SignatureAlgorithm}. */
  readonly algorithms?: readonly SignatureAlgorithm[] | undefined
}

/** {@link ProviderOptions}, each checked by itself. */
export interface ReadProviderOptions
  extends Complete<ProviderOptions, 'requireHttps' | 'allowedDomains' | 'network' | 'headers' | 'ca'> {
  readonly retryPolicy: RetryPolicy
}

/** The options of a provider. */
export const providerOptionTable: OptionTable<ProviderOptions, ReadProviderOptions> = {
  ...cacheOptionTable,
  maxResponseBytes: integer({ min: 1 }, 1_048_576),
  maxRedirects: integer({ min: 0, max: 10 }, 3),
  requireHttps: boolean(),
  allowedDomains: optional(checkDomains),
  network: choice(['public', 'any']),
  allowAddresses: optional(checkAddresses, []),
  pinnedSpki: optional(checkPins, []),
  headers: optional(checkHeaders),
  ca: optional(checkAuthorities),
  algorithms: optional(checkAlgorithms, signatureAlgorithms),
}

/** The names of {@link ProviderOptions}. */
export const providerOptionNames: readonly (keyof ProviderOptions)[] = Object.keys(
  providerOptionTable,
) as (keyof ProviderOptions)[]

/** The defaults that do not depend on anything else. */
export const providerDefaults: ReadProviderOptions = readOptions('', {}, providerOptionTable)

/** Domain names, canonical. */
export function checkDomains(name: string, value: unknown): readonly string[] {
  return stringListOption(name, value).map((domain, index) => {
    const canonical = canonicalDomain(domain)
    if (canonical === undefined) throw new TypeError(`${name}[${index}] must be a host name such as "example.com"`)
    return canonical
  })
}

function checkHeaders(name: string, value: unknown): RequestHeaders {
  if (typeof value === 'function') return value as RequestHeaders
  const fault = headersFault(value)
  if (fault !== undefined) throw new TypeError(`${name} ${fault}`)
  return Object.freeze({ ...(value as Readonly<Record<string, string>>) })
}

/** Certificates in PEM form, one in each text, or a function. */
function checkAuthorities(name: string, value: unknown): CertificateAuthorities {
  if (typeof value === 'function') return value as CertificateAuthorities
  const certificates = splitPem(stringsOption(name, value))
  if (certificates === undefined) throw new TypeError(`${name} must be certificates in PEM form, or a function`)
  return Object.freeze(certificates)
}

function checkAddresses(name: string, value: unknown): readonly string[] {
  return stringListOption(name, value).map((entry, index) => {
    if (!isAddressOrBlock(entry)) throw new TypeError(`${name}[${index}] must be an IP address or a CIDR block`)
    return entry
  })
}

/** In one order, each once. */
function checkPins(name: string, value: unknown): readonly string[] {
  const pins = stringListOption(name, value)
  for (const [index, pin] of pins.entries()) {
    if (!isSpkiHash(pin)) throw new TypeError(`${name}[${index}] must be the base64 of a SHA-256 hash, 44 characters`)
  }
  return Object.freeze([...new Set(pins)].toSorted())
}

function checkAlgorithms(name: string, value: unknown): readonly SignatureAlgorithm[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new TypeError(`${name} must be a list of at least one signature algorithm`)
  }
  return Object.freeze(value.map((item, index) => choiceOption(`${name}[${index}]`, item, signatureAlgorithms)))
}

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

import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { ProviderTakenError } from '../base/errors/jwks-auth-error.ts'
import { UpstreamUrlNotAllowedError } from '../base/errors/upstream-errors.ts'
import {
  anyValue,
  identifierOption,
  isObject,
  knownOptions,
  type OptionTable,
  objectOption,
  readOptions,
  stringOption,
  stringsOption,
  type Unchecked,
} from '../base/options.ts'
import { type ProviderKey, valueText } from '../base/provider-key.ts'
import type { Network } from '../http/addresses.ts'
import type { TransportPolicy } from '../http/transport.ts'
import { checkUrl, parseUrl } from '../http/url-rules.ts'
import { type KeySet, readKeySet } from '../jwks/key-set.ts'
import type { SnapshotRules } from '../persistence/snapshot.ts'
import {
  type CheckedProviderOptions,
  checkEffects,
  checkProviderOptions,
  connectionOptionNames,
  mergeProviderOptions,
  type ProviderOptions,
  providerOptionNames,
  type RegistryRules,
} from './provider-options.ts'

/** The source of a provider's tokens and keys. Keys come from one of `jwks`, `jwksUri`, and discovery. */
export interface ProviderLocation {
  /**
   * The `iss` of its tokens, compared character by character. Without `jwksUri`, `jwks` and `metadataUri` it must be a
   * URL, and the key set is discovered from it (OpenID Connect Discovery 1.0 §4, then RFC 8414 §3). With `jwksUri` or
   * `jwks`, any string, or a list of them; with `metadataUri`, any string.
   */
  readonly issuer?: string | readonly string[] | undefined
  /** The URL of its JSON Web Key Set (RFC 7517 §5). */
  readonly jwksUri?: string | undefined
  /** The JSON Web Key Set itself, with at least one usable key. It is never fetched and does not expire. */
  readonly jwks?: JSONWebKeySet | undefined
  /** The URL of the issuer's metadata, where it is not at a well-known location. Its `issuer` must match exactly. */
  readonly metadataUri?: string | undefined
}

/** The options that say where a provider is. {@link checkLocation} checks them. */
export const providerLocationTable: OptionTable<ProviderLocation> = {
  issuer: anyValue,
  jwksUri: anyValue,
  jwks: anyValue,
  metadataUri: anyValue,
}

/** The names of {@link ProviderLocation}. */
export const providerLocationNames: readonly string[] = Object.keys(providerLocationTable)

/** A checked location. */
export interface CheckedLocation {
  readonly issuers: readonly string[]
  /** Absent where the keys are inline or the URL is discovered. */
  readonly jwksUri: string | undefined
  /** Absent where the metadata is at a well-known location, or is not needed. */
  readonly metadataUri: string | undefined
  /** Inline keys; absent where they are fetched. */
  readonly jwks: KeySet | undefined
}

/** A text that is the same for equal key sets. */
function keysText({ keys }: KeySet): string {
  return valueText(keys.map(({ jwk }) => jwk))
}

/** The options that say where keys come from; without any of them, the key set is discovered. */
const SOURCES = ['jwks', 'jwksUri', 'metadataUri'] as const

/**
 * Checks a location.
 *
 * @param where prefix of the names in messages
 * @throws TypeError that names the option
 */
function checkLocation(where: string, given: Unchecked, options: CheckedProviderOptions): CheckedLocation {
  const { issuer } = given
  const [source, other] = SOURCES.filter((name) => given[name] !== undefined)
  if (source !== undefined && other !== undefined) {
    throw new TypeError(`${where}${other} cannot be set beside ${source}: keys come from one place`)
  }
  const none = { jwksUri: undefined, metadataUri: undefined, jwks: undefined }
  if (source === 'jwks' || source === 'jwksUri') {
    const issuers = issuer === undefined ? [] : [...new Set(stringsOption(`${where}issuer`, issuer))]
    if (source === 'jwks') return { ...none, issuers, jwks: checkKeys(`${where}jwks`, given['jwks'], options) }
    return { ...none, issuers, jwksUri: checkUrlOption(`${where}jwksUri`, given['jwksUri'], options).href }
  }
  if (issuer === undefined) {
    const needed = source === undefined ? `${where}issuer or ${where}jwksUri is` : `${where}issuer is`
    throw new TypeError(`${needed} required`)
  }
  if (Array.isArray(issuer)) throw new TypeError(`${where}issuer can be a list only beside jwksUri or jwks`)
  const text = stringOption(`${where}issuer`, issuer)
  if (source === 'metadataUri') {
    const metadataUri = checkUrlOption(`${where}metadataUri`, given['metadataUri'], options).href
    return { ...none, issuers: [text], metadataUri }
  }
  checkUrlOption(`${where}issuer`, text, options)
  // RFC 8414 §2: an issuer identifier has no query and no fragment.
  if (/[?#]/.test(text)) throw new TypeError(`${where}issuer must have neither query nor fragment`)
  if (text.includes('/.well-known/')) {
    throw new TypeError(
      `${where}issuer must be the iss of tokens; jwksUri takes the URL of keys, metadataUri that of metadata`,
    )
  }
  return { ...none, issuers: [text] }
}

/**
 * Checks the location of a provider that is registered already; what is not given is taken from there.
 *
 * @throws TypeError that names the option
 */
function checkLocationBeside(
  existing: CheckedLocation,
  where: string,
  given: Unchecked,
  options: CheckedProviderOptions,
): CheckedLocation {
  const { issuers, jwks, jwksUri, metadataUri } = existing
  if (SOURCES.some((name) => given[name] !== undefined)) {
    const issuer = issuers.length === 0 ? undefined : issuers
    return checkLocation(
      where,
      { ...given, issuer: given['issuer'] ?? (issuers.length === 1 ? issuers[0] : issuer) },
      options,
    )
  }
  if (given['issuer'] === undefined) return existing
  if ((jwks ?? jwksUri ?? metadataUri) === undefined) return checkLocation(where, given, options)
  return { jwks, jwksUri, metadataUri, issuers: stringsOption(`${where}issuer`, given['issuer']) }
}

/** True for two locations with the same issuers and keys. */
function isSameLocation(one: CheckedLocation, other: CheckedLocation): boolean {
  const [text, otherText] = [one, other].map(({ issuers, jwksUri, metadataUri, jwks }) =>
    valueText([[...new Set(issuers)].toSorted(), jwksUri, metadataUri, jwks && keysText(jwks)]),
  )
  return text === otherText
}

function checkKeys(name: string, value: unknown, { maxKeys }: CheckedProviderOptions): KeySet {
  const reading = isObject(value) ? readKeySet(value, maxKeys) : undefined
  if (reading === undefined) throw new TypeError(`${name} must be a JSON Web Key Set: an object with a list of keys`)
  if (reading.keySet.keys.length > 0) return reading.keySet
  const reasons = [...new Set(reading.refused.first.map(({ reason }) => reason))]
  throw new TypeError(`${name} has no usable key${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`)
}

function checkUrlOption(name: string, value: unknown, options: CheckedProviderOptions): URL {
  const url = parseUrl(stringOption(name, value))
  if (url === undefined) {
    const hint = name.endsWith('issuer') ? ', or any string beside jwksUri' : ''
    throw new TypeError(`${name} must be an absolute URL${hint}`)
  }
  try {
    checkUrl(url, options)
  } catch (error) {
    const reason = error instanceof UpstreamUrlNotAllowedError ? error.reason : String(error)
    throw new TypeError(`${name} is not allowed: ${reason}`, { cause: error })
  }
  return url
}

/** A provider to register: its location, and any {@link ProviderOptions}. */
export interface ProviderRegistration extends ProviderLocation, ProviderOptions {
  /** The tenant's name: 1 to 64 of `A-Z a-z 0-9 _ . -`, not starting with a dot; case-sensitive. */
  readonly tenant: string
  /** The provider's name within the tenant, of the same form. */
  readonly provider: string
}

/** A registration, complete and checked. */
export interface CheckedRegistration extends CheckedLocation {
  readonly key: ProviderKey
  readonly options: CheckedProviderOptions
  readonly transport: TransportPolicy
  /**
   * Equal for two registrations that fetch the same key set in the same way, so that they can share what is fetched. A
   * keyed hash, good within this process only.
   */
  readonly upstreamKey: string
}

/** What a registration is checked against. */
export interface RegistrationContext {
  readonly rules: RegistryRules
  /** The registry's `defaults`. */
  readonly defaults: Unchecked
  /** The value of `network` where neither the registration nor the defaults have one. */
  readonly network: Network
  /** Prefix of the names in messages; empty for a registration that was given as a whole. */
  readonly where: string
  /** Returns equal options of another registration, where there are any. */
  share(options: CheckedProviderOptions): CheckedProviderOptions
  /** The registration that has this name already. */
  existing(key: ProviderKey): CheckedRegistration | undefined
}

/** The names of a registration. */
export const providerKeyTable: OptionTable<ProviderKey, ProviderKey> = {
  tenant: { check: identifierOption },
  provider: { check: identifierOption },
}

const registrationNames = [...Object.keys(providerKeyTable), ...providerLocationNames, ...providerOptionNames]

/**
 * Checks a registration. Where the name is registered already, what is not given is taken from there.
 *
 * @returns the existing registration, if there is one
 * @throws TypeError that names the option
 * @throws ProviderTakenError where something else is registered under the name
 */
export function checkRegistration(value: unknown, context: RegistrationContext): CheckedRegistration {
  const { rules, defaults, where, network } = context
  const given = objectOption(where === '' ? 'registration' : where, value)
  knownOptions(where === '' ? 'register' : where, given, registrationNames)
  // Elsewhere, defaults for several providers are merged in already.
  if (where === '') checkEffects(where, given)
  const key = readOptions(where, given, providerKeyTable)
  const existing = context.existing(key)
  const base = existing === undefined ? defaults : givenBefore(existing, rules)
  const options = checkProviderOptions(where, mergeProviderOptions(base, given), rules)
  if (existing !== undefined) {
    const location = checkLocationBeside(existing, where, given, options)
    if (isSameLocation(existing, location) && hasSameOptions(existing, options, given)) return existing
    throw new ProviderTakenError(key.tenant, key.provider)
  }
  const location = checkLocation(where, given, options)
  const registration = new Registration(key, location, context.share(options), network)
  checkEnforceable(where, registration, rules)
  return registration
}

/** True for two registrations that fetch the same keys in the same way, and keep them for as long. */
export function isSameRegistration(one: CheckedRegistration, other: CheckedRegistration): boolean {
  return isSameLocation(one, other) && valueText(one.options) === valueText(other.options)
}

/** The options of an existing registration, as if they were given. */
function givenBefore({ options }: CheckedRegistration, { hasDispatcher }: RegistryRules): Unchecked {
  const isGiven = (name: string): boolean => !hasDispatcher || !connectionOptionNames.includes(name)
  return Object.fromEntries(Object.entries(options).filter(([name]) => isGiven(name)))
}

/** True where every option that is given has the value that the existing registration has. */
function hasSameOptions(existing: CheckedRegistration, options: CheckedProviderOptions, given: Unchecked): boolean {
  return providerOptionNames.every((name) => {
    const value = given[name]
    if (value === undefined) return true
    // Where it is 'public' by default, it is so for every origin.
    if (name === 'network' && value === 'public') return existing.transport.network === value
    if (name !== 'retryPolicy' || !isObject(value))
      return valueText(options[name]) === valueText(existing.options[name])
    const members = Object.entries(options.retryPolicy).filter(([member]) => value[member] !== undefined)
    const known = new Map<string, unknown>(Object.entries(existing.options.retryPolicy))
    return members.every(([member, of]) => known.get(member) === of)
  })
}

/** Derived values are computed on demand: there may be many registrations, most of them idle. */
class Registration implements CheckedRegistration {
  readonly key: ProviderKey
  readonly issuers: readonly string[]
  readonly jwksUri: string | undefined
  readonly metadataUri: string | undefined
  readonly jwks: KeySet | undefined
  readonly options: CheckedProviderOptions
  readonly #defaultNetwork: Network

  constructor(key: ProviderKey, location: CheckedLocation, options: CheckedProviderOptions, defaultNetwork: Network) {
    this.key = key
    this.issuers = location.issuers
    this.jwksUri = location.jwksUri
    this.metadataUri = location.metadataUri
    this.jwks = location.jwks
    this.options = options
    this.#defaultNetwork = defaultNetwork
  }

  get transport(): TransportPolicy {
    const { options } = this
    const url = this.jwksUri ?? this.metadataUri ?? this.issuers[0]
    return Object.freeze({
      requireHttps: options.requireHttps,
      allowedDomains: options.allowedDomains,
      network: options.network ?? this.#defaultNetwork,
      networkIsExplicit: options.network !== undefined,
      allowAddresses: options.allowAddresses,
      pinnedSpki: options.pinnedSpki,
      headers: options.headers,
      ca: options.ca,
      configuredOrigin: this.jwks === undefined && url !== undefined ? new URL(url).origin : '',
      maxResponseBytes: options.maxResponseBytes,
      maxRedirects: options.maxRedirects,
    })
  }

  get upstreamKey(): string {
    const { jwks, jwksUri, metadataUri, options } = this
    const discovered = jwksUri === undefined && jwks === undefined ? this.issuers[0] : undefined
    const { maxKeys, retryPolicy } = options
    const upstream = [jwks && keysText(jwks), jwksUri, metadataUri, discovered, this.transport, maxKeys, retryPolicy]
    return createHmac('sha256', UPSTREAM_SECRET).update(valueText(upstream)).digest('base64url')
  }
}

/** Keeps anyone who sees an `upstreamKey` from testing guesses at the values of `headers`. */
const UPSTREAM_SECRET = randomBytes(32)

/** Refuses rules about connections where they might silently not be enforced. */
function checkEnforceable(where: string, { jwks, transport }: CheckedRegistration, rules: RegistryRules): void {
  if (rules.canGuardConnections || rules.hasDispatcher || jwks !== undefined) return
  const { pinnedSpki, ca, network } = transport
  const name = pinnedSpki.length > 0 ? 'pinnedSpki' : ca !== undefined ? 'ca' : network === 'public' ? 'network' : ''
  if (name === '') return
  const hint = name === 'network' ? ": the value 'public' cannot; set it to 'any' to connect to any address" : ''
  throw new TypeError(`${where}${name} cannot be enforced on Bun${hint}`)
}

/** The hash of the rules by which keys were fetched, and where: a snapshot that was made by others is refused. */
export function snapshotRules(registration: CheckedRegistration): SnapshotRules {
  const { key, issuers, jwksUri, metadataUri, transport, options } = registration
  const { requireHttps, allowedDomains, allowAddresses, pinnedSpki } = transport
  // Only a restriction that was asked for: the default depends on the way of registering, and one directory may serve
  // several.
  const network = options.network === 'public' ? options.network : null
  // A function is another one in each process.
  const ca = typeof transport.ca === 'function' ? 'function' : transport.ca
  const rules = [requireHttps, allowedDomains, network, allowAddresses, pinnedSpki, ca, metadataUri]
  const hash = createHash('sha256').update(JSON.stringify(rules)).digest('base64url')
  const { keyLifetime } = options
  const { tenant, provider } = key
  return {
    binding: { tenant, provider, issuers, jwksUri: jwksUri ?? null, transport: hash, keyLifetime },
    urls: transport,
  }
}

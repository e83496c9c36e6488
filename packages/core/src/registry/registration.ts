import { createHash, createHmac, randomBytes } from 'node:crypto'
import { ProviderTakenError } from '../base/errors/registry-errors.ts'
import {
  identifierOption,
  isObject,
  knownOptions,
  type OptionTable,
  objectOption,
  readOptions,
  type Unchecked,
} from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { valueText } from '../base/value-text.ts'
import type { Network } from '../http/address-rules.ts'
import type { TransportPolicy } from '../http/transport.ts'
import type { KeySet } from '../jwks/key-set.ts'
import type { SnapshotRules } from '../persistence/snapshot.ts'
import {
  type CheckedProviderOptions,
  checkEffects,
  checkProviderOptions,
  connectionOptionNames,
  mergeProviderOptions,
  type RegistryRules,
} from './check-provider-options.ts'
import {
  type CheckedLocation,
  checkLocation,
  checkLocationBeside,
  isSameLocation,
  keysText,
  type ProviderLocation,
  providerLocationNames,
} from './provider-location.ts'
import { type ProviderOptions, providerOptionNames } from './provider-options.ts'

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

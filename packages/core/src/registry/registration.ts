import { createHash } from 'node:crypto'
import { UpstreamUrlNotAllowedError } from '../base/errors/upstream-errors.ts'
import {
  identifierOption,
  knownOptions,
  objectOption,
  stringOption,
  stringsOption,
  type Unchecked,
} from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { Network } from '../http/address-rules.ts'
import type { TransportPolicy } from '../http/transport.ts'
import { checkUrl, parseUrl } from '../http/url-rules.ts'
import type { SnapshotRules } from '../persistence/provider-snapshots.ts'
import {
  type CheckedProviderOptions,
  checkProviderOptions,
  mergeProviderOptions,
  type RegistryRules,
} from './check-provider-options.ts'
import { type ProviderOptions, providerOptionNames } from './provider-options.ts'

/** Where a provider's tokens and keys come from. */
export interface ProviderLocation {
  /**
   * The `iss` of its tokens, compared character by character. Without `jwksUri` it must be a URL, and the key set is
   * discovered from it (OpenID Connect Discovery 1.0 §4, RFC 8414 §3). With `jwksUri`, any string, or a list of them.
   */
  readonly issuer?: string | readonly string[] | undefined
  /** The URL of its JSON Web Key Set (RFC 7517 §5). */
  readonly jwksUri?: string | undefined
}

/** A provider to register: `issuer`, `jwksUri` or both, and any {@link ProviderOptions}. */
export interface ProviderRegistration extends ProviderLocation, ProviderOptions {
  /** The tenant's name: 1 to 64 of `A-Z a-z 0-9 _ . -`, not starting with a dot; case-sensitive. */
  readonly tenant: string
  /** The provider's name within the tenant, of the same form. */
  readonly provider: string
}

/** A registration, complete and checked. */
export interface CheckedRegistration {
  readonly key: ProviderKey
  readonly issuers: readonly string[]
  /** Absent where the key set is discovered from the one issuer. */
  readonly jwksUri: string | undefined
  readonly options: CheckedProviderOptions
  readonly transport: TransportPolicy
  /** The same for two registrations that fetch the same key set in the same way. */
  readonly upstreamKey: string
  /** The same for two registrations that mean the same. */
  readonly fingerprint: string
}

/** What a registration is checked against. */
export interface RegistrationContext {
  readonly rules: RegistryRules
  /** The registry's `defaults`. */
  readonly defaults: Unchecked
  /** What `network` is where neither the registration nor the defaults say. */
  readonly network: Network
  /** Prefix of the names in messages. */
  readonly where: string
  /** Gives back equal options of another registration, where there are any. */
  share(options: CheckedProviderOptions): CheckedProviderOptions
}

const registrationNames = ['tenant', 'provider', 'issuer', 'jwksUri', ...providerOptionNames]

/**
 * Checks a registration.
 *
 * @throws TypeError that names the option
 */
export function checkRegistration(value: unknown, context: RegistrationContext): CheckedRegistration {
  const { rules, defaults, where } = context
  const given = objectOption(where === '' ? 'registration' : where, value)
  knownOptions(where === '' ? 'register' : where, given, registrationNames)
  const key = Object.freeze({
    tenant: identifierOption(`${where}tenant`, given['tenant']),
    provider: identifierOption(`${where}provider`, given['provider']),
  })
  const options = context.share(checkProviderOptions(where, mergeProviderOptions(defaults, given), rules))
  return new Registration(key, checkLocation(where, given, options), options, context.network)
}

/** What can be made of the rest is made when it is asked for: there may be many registrations, most of them idle. */
class Registration implements CheckedRegistration {
  readonly key: ProviderKey
  readonly issuers: readonly string[]
  readonly jwksUri: string | undefined
  readonly options: CheckedProviderOptions
  readonly #defaultNetwork: Network

  constructor(
    key: ProviderKey,
    { issuers, jwksUri }: ReturnType<typeof checkLocation>,
    options: CheckedProviderOptions,
    defaultNetwork: Network,
  ) {
    this.key = key
    this.issuers = issuers
    this.jwksUri = jwksUri
    this.options = options
    this.#defaultNetwork = defaultNetwork
  }

  get transport(): TransportPolicy {
    const { issuers, jwksUri, options } = this
    return Object.freeze({
      requireHttps: options.requireHttps,
      allowedDomains: options.allowedDomains,
      network: options.network ?? this.#defaultNetwork,
      networkIsExplicit: options.network !== undefined,
      allowAddresses: options.allowAddresses,
      pinnedSpki: options.pinnedSpki,
      configuredOrigin: new URL(jwksUri ?? issuers[0] ?? '').origin,
      maxResponseBytes: options.maxResponseBytes,
      maxRedirects: options.maxRedirects,
    })
  }

  get upstreamKey(): string {
    const { issuers, jwksUri, options, transport } = this
    const { maxKeys, retryPolicy } = options
    return JSON.stringify([jwksUri ?? issuers[0], transport, maxKeys, retryPolicy])
  }

  get fingerprint(): string {
    const { key, issuers, jwksUri, options } = this
    const network = options.network ?? this.#defaultNetwork
    return JSON.stringify([key, issuers, jwksUri, { ...options, network }, options.network ?? 'public'])
  }
}

function checkLocation(where: string, given: Unchecked, options: CheckedProviderOptions) {
  const { issuer, jwksUri } = given
  if (jwksUri !== undefined) {
    const url = checkUrlOption(`${where}jwksUri`, stringOption(`${where}jwksUri`, jwksUri), options)
    const issuers = issuer === undefined ? [] : [...new Set(stringsOption(`${where}issuer`, issuer))]
    return { issuers, jwksUri: url.href }
  }
  if (issuer === undefined) throw new TypeError(`${where}issuer or ${where}jwksUri is required`)
  if (Array.isArray(issuer)) throw new TypeError(`${where}issuer can be a list only beside jwksUri`)
  const text = stringOption(`${where}issuer`, issuer)
  checkUrlOption(`${where}issuer`, text, options)
  // RFC 8414 §2: an issuer identifier has no query and no fragment.
  if (/[?#]/.test(text)) throw new TypeError(`${where}issuer must have neither query nor fragment`)
  return { issuers: [text], jwksUri: undefined }
}

function checkUrlOption(name: string, text: string, options: CheckedProviderOptions): URL {
  const url = parseUrl(text)
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

/** What a snapshot must have been made for to be believed: the same keys' place, reached by the same rules. */
export function snapshotRules({ key, issuers, jwksUri, transport, options }: CheckedRegistration): SnapshotRules {
  const { requireHttps, allowedDomains, network, networkIsExplicit, allowAddresses, pinnedSpki } = transport
  const rules = [requireHttps, allowedDomains, network, networkIsExplicit, allowAddresses, pinnedSpki]
  const hash = createHash('sha256').update(JSON.stringify(rules)).digest('base64url')
  const { keyLifetime } = options
  const { tenant, provider } = key
  return {
    binding: { tenant, provider, issuers, jwksUri: jwksUri ?? null, transport: hash, keyLifetime },
    urls: transport,
  }
}

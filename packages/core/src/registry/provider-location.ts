import type { JSONWebKeySet } from 'jose'
import { UpstreamUrlNotAllowedError } from '../base/errors/upstream-errors.ts'
import { anyValue, isObject, type OptionTable, stringOption, stringsOption, type Unchecked } from '../base/options.ts'
import { valueText } from '../base/value-text.ts'
import { checkUrl, parseUrl } from '../http/url-rules.ts'
import { type KeySet, readKeySet } from '../jwks/key-set.ts'
import type { CheckedProviderOptions } from './check-provider-options.ts'

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
export function keysText({ keys }: KeySet): string {
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
export function checkLocation(where: string, given: Unchecked, options: CheckedProviderOptions): CheckedLocation {
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
  return { ...none, issuers: [text] }
}

/**
 * Checks the location of a provider that is registered already; what is not given is taken from there.
 *
 * @throws TypeError that names the option
 */
export function checkLocationBeside(
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
export function isSameLocation(one: CheckedLocation, other: CheckedLocation): boolean {
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

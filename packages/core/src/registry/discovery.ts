import { type Clock, elapsed, type Instant, instant, schedule } from '../base/clock.ts'
import {
  MetadataIssuerMismatchError,
  MetadataMalformedError,
  UpstreamStatusError,
  UpstreamTimedOutError,
} from '../base/errors/upstream-errors.ts'
import { parseJson } from '../base/json.ts'
import { isObject } from '../base/options.ts'
import type { TransportResponse } from '../http/freshness.ts'
import { freshnessOf, readRetryAfter, storedPolicy } from '../http/freshness.ts'
import type { Transport } from '../http/transport.ts'
import { parseUrl } from '../http/url-rules.ts'
import type { KeySet } from '../jwks/key-set.ts'
import type { JwksRequest, JwksSource } from '../jwks-cache/key-set-response.ts'
import { timeToLive } from '../jwks-cache/policy.ts'
import type { CheckedRegistration } from './registration.ts'

/** The members of the metadata that are read (RFC 8414 §2). */
const METADATA_PARTS = { members: ['issuer', 'jwks_uri'], maxEntries: 0 }

/** The key set's URL, as the issuer's metadata has it. */
interface Location {
  readonly jwksUri: string
  readonly foundAt: Instant
  /** Milliseconds until the metadata expires. */
  readonly ttl: number
}

/** Creates the source of a registered provider's key set: inline keys, its `jwksUri`, or the one in its issuer's metadata. */
export function createJwksSource(registration: CheckedRegistration, transport: Transport, clock: Clock): JwksSource {
  const { jwks, jwksUri, transport: policy } = registration
  if (jwks !== undefined) return inlineSource(jwks)
  const locate = jwksUri === undefined ? createLocator(registration, transport, clock) : async () => jwksUri
  return async (request) => {
    const url = await locate(request)
    const { signal, timeout, onSent } = request
    const headers = request.headersFor(url)
    return { ...(await transport.get({ url, document: 'key set', headers, signal, timeout, onSent }, policy)), url }
  }
}

/** Inline keys as a response that never expires. */
function inlineSource({ keys }: KeySet): JwksSource {
  const body = JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
  return async () => ({ status: 200, headers: { 'cache-control': 'max-age=31536000' }, body, url: '' })
}

/**
 * Discovers the key set's URL, and again when the metadata has expired or the URL begins to fail. While the
 * metadata cannot be fetched, the last known URL stays.
 */
function createLocator(registration: CheckedRegistration, transport: Transport, clock: Clock) {
  const issuer = registration.issuers[0] ?? ''
  const urls = registration.metadataUri === undefined ? wellKnownUrls(issuer) : [registration.metadataUri]
  const policy = registration.transport
  let location: Location | undefined

  async function fetchMetadata(url: string, { signal, timeout, onSent }: JwksRequest): Promise<Location> {
    const response = await transport.get({ url, document: 'metadata', headers: {}, signal, timeout, onSent }, policy)
    const jwksUri = await readMetadata(response, issuer, clock.now())
    const freshness = freshnessOf(storedPolicy(url, response.headers, clock.now()))
    return { jwksUri, foundAt: instant(clock), ttl: timeToLive(freshness, registration.options) }
  }

  /**
   * Tries each well-known location, until one has usable metadata. For a document that they do not have,
   * servers respond with 404, 204, 5xx, a redirect to a login page or HTML. The first failure is reported.
   */
  async function discover(request: JwksRequest): Promise<Location> {
    let failure: unknown
    for (const url of urls) {
      try {
        return await fetchMetadata(url, request)
      } catch (error) {
        request.signal.throwIfAborted()
        failure ??= error
      }
    }
    throw failure
  }

  /** A URL is known: half of the attempt's time is enough to find out whether it has changed. */
  async function rediscover(known: Location, request: JwksRequest): Promise<Location> {
    const controller = new AbortController()
    const giveUp = (): void => controller.abort(new UpstreamTimedOutError())
    const cancel = schedule(clock, request.timeout / 2, giveUp)
    request.signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await discover({ ...request, signal: controller.signal })
    } catch {
      return { jwksUri: known.jwksUri, foundAt: instant(clock), ttl: registration.options.minTtl }
    } finally {
      cancel()
      request.signal.removeEventListener('abort', giveUp)
    }
  }

  return async (request: JwksRequest): Promise<string> => {
    if (location === undefined) {
      location = await discover(request)
    } else if (request.relocate || elapsed(location.foundAt, instant(clock)) >= location.ttl) {
      location = await rediscover(location, request)
    }
    return location.jwksUri
  }
}

/** OpenID Connect Discovery 1.0 §4 appends to the issuer's path; RFC 8414 §3.1 puts the well-known part before it. */
export function wellKnownUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}

async function readMetadata(
  { status, headers, body }: TransportResponse,
  issuer: string,
  now: number,
): Promise<string> {
  if (status !== 200) {
    const retryAfter = readRetryAfter(headers['retry-after'], now)
    throw new UpstreamStatusError(status, { document: 'metadata', retryAfter })
  }
  const metadata = await parseJson(body, METADATA_PARTS)
  if (!isObject(metadata)) throw new MetadataMalformedError('it is not a JSON object')
  // RFC 8414 §3.3: identical, or the document must not be used.
  if (metadata['issuer'] !== issuer) throw new MetadataIssuerMismatchError(issuer, metadata['issuer'])
  const jwksUri = metadata['jwks_uri']
  if (typeof jwksUri !== 'string' || parseUrl(jwksUri) === undefined) {
    throw new MetadataMalformedError('its jwks_uri is not an absolute URL')
  }
  return jwksUri
}

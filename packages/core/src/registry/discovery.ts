import { type Clock, schedule } from '../base/clock.ts'
import {
  MetadataIssuerMismatchError,
  MetadataMalformedError,
  UpstreamStatusError,
  UpstreamTimedOutError,
} from '../base/errors/upstream-errors.ts'
import { freshnessOf, storedPolicy } from '../http/freshness.ts'
import { readRetryAfter } from '../http/retry-after.ts'
import type { Transport, TransportResponse } from '../http/transport.ts'
import { parseUrl } from '../http/url-rules.ts'
import type { JwksRequest, JwksSource } from '../jwks-cache/jwks-source.ts'
import { timeToLive } from '../jwks-cache/lifetimes.ts'
import type { CheckedRegistration } from './registration.ts'

/** Where an issuer's metadata says that its keys are. */
interface Location {
  readonly jwksUri: string
  readonly freshUntil: number
}

/** The source of a registered provider's key set: its `jwksUri`, or what its issuer's metadata says. */
export function createJwksSource(registration: CheckedRegistration, transport: Transport, clock: Clock): JwksSource {
  const { jwksUri, transport: policy } = registration
  const locate = jwksUri === undefined ? createLocator(registration, transport, clock) : async () => jwksUri
  return async (request) => {
    const url = await locate(request)
    const { signal, timeout } = request
    return { ...(await transport.get({ url, headers: request.headersFor(url), signal, timeout }, policy)), url }
  }
}

/**
 * Discovers the key set's URL, and again when the metadata has expired or the URL begins to fail. While the
 * metadata cannot be had, the last known URL stays.
 */
function createLocator(registration: CheckedRegistration, transport: Transport, clock: Clock) {
  const issuer = registration.issuers[0] ?? ''
  let location: Location | undefined

  async function get(url: string, { signal, timeout }: JwksRequest): Promise<TransportResponse> {
    return await transport.get({ url, headers: {}, signal, timeout }, registration.transport)
  }

  async function discover(request: JwksRequest): Promise<Location> {
    const [openid, oauth] = metadataUrls(issuer)
    let url = openid
    let response = await get(url, request)
    if (isAbsent(response.status)) {
      url = oauth
      response = await get(url, request)
    }
    const now = clock.now()
    if (response.status !== 200) {
      const retryAfter = readRetryAfter(response.headers['retry-after'], now)
      throw new UpstreamStatusError(response.status, { retryAfter })
    }
    const jwksUri = readMetadata(response.body, issuer)
    const ttl = timeToLive(freshnessOf(storedPolicy(url, response.headers, now)), registration.options)
    return { jwksUri, freshUntil: now + ttl }
  }

  /** With a known URL to go on with, half of the attempt's time is enough to ask whether it has changed. */
  async function rediscover(known: Location, request: JwksRequest): Promise<Location> {
    const controller = new AbortController()
    const giveUp = (): void => controller.abort(new UpstreamTimedOutError())
    const cancel = schedule(clock, request.timeout / 2, giveUp)
    request.signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await discover({ ...request, signal: controller.signal })
    } catch {
      return { jwksUri: known.jwksUri, freshUntil: clock.now() + registration.options.minTtl }
    } finally {
      cancel()
      request.signal.removeEventListener('abort', giveUp)
    }
  }

  return async (request: JwksRequest): Promise<string> => {
    if (location === undefined) location = await discover(request)
    else if (request.relocate || clock.now() >= location.freshUntil) location = await rediscover(location, request)
    return location.jwksUri
  }
}

/** OpenID Connect Discovery 1.0 §4 appends to the issuer's path; RFC 8414 §3.1 puts the well-known part before it. */
function metadataUrls(issuer: string): readonly [openid: string, oauth: string] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}

/** A refusal that means "not here", so that the other place is worth a look. */
function isAbsent(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429
}

function readMetadata(body: string, issuer: string): string {
  const metadata = parseObject(body)
  if (metadata === undefined) throw new MetadataMalformedError('it is not a JSON object')
  // RFC 8414 §3.3: identical, or the document must not be used.
  if (metadata['issuer'] !== issuer) throw new MetadataIssuerMismatchError(issuer, metadata['issuer'])
  const jwksUri = metadata['jwks_uri']
  if (typeof jwksUri !== 'string' || parseUrl(jwksUri) === undefined) {
    throw new MetadataMalformedError('its jwks_uri is not an absolute URL')
  }
  return jwksUri
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

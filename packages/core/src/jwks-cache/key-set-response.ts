import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeySetMalformedError, UpstreamStatusError } from '../base/errors/upstream-errors.ts'
import { parseJson } from '../base/json.ts'
import type { TransportResponse } from '../http/freshness.ts'
import {
  isOlder,
  readRetryAfter,
  revalidatedPolicy,
  type StoredPolicy,
  storedPolicy,
  validatorsOf,
} from '../http/freshness.ts'
import { type KeySet, type RefusedKeys, readKeySetInTurns } from '../jwks/key-set.ts'
import { KEY_SET_MEMBERS } from '../jwks/verification-key.ts'

/** A key set with what HTTP said of it. */
export interface KnownKeySet {
  readonly keySet: KeySet
  readonly policy: StoredPolicy
}

/** Keys of a response that are not used. */
export interface RefusedContent {
  readonly refused: RefusedKeys
  /** Material that was published with its private half or as a secret: cached copies must go, too. */
  readonly compromised: ReadonlySet<string>
}

/** A checked response. */
export interface FetchedKeySet extends KnownKeySet, RefusedContent {
  /** False when the response was a 304. */
  readonly modified: boolean
}

/** Nothing refused. */
export const NOTHING_REFUSED: RefusedContent = Object.freeze({
  refused: Object.freeze({ count: 0, first: [] }),
  compromised: new Set<string>(),
})

/**
 * Builds the headers of a conditional request (RFC 9110 §13.1). Validators are sent only to the URL that they came from.
 */
export function conditionalHeaders(url: string, known: KnownKeySet | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  if (known === undefined || known.policy.u !== url) return headers
  const { etag, lastModified } = validatorsOf(known.policy)
  if (etag !== undefined) headers['if-none-match'] = etag
  if (lastModified !== undefined) headers['if-modified-since'] = lastModified
  return headers
}

/**
 * The headers of an unconditional request that caches on the way must pass to the origin (RFC 9111 §5.2.1.4). It sends
 * no validators: a server whose validators never change would hide a rotation.
 */
export const UNCONDITIONAL_HEADERS: Readonly<Record<string, string>> = Object.freeze({ 'cache-control': 'no-cache' })

/** True for a response that was made before the known one. */
export function isOutdated(response: JwksResponse, known: KnownKeySet | undefined): boolean {
  return response.status === 200 && known !== undefined && isOlder(response.headers, known.policy)
}

/** Thrown where a response cannot replace the cached keys; lists keys that must be dropped all the same. */
export class UnusableKeySet extends Error {
  override readonly cause: JwksAuthError
  readonly content: RefusedContent
  constructor(cause: JwksAuthError, content: RefusedContent) {
    super(cause.message)
    this.cause = cause
    this.content = content
  }
}

/**
 * Checks a response before it replaces anything.
 *
 * @param known the key set whose validators the request has sent
 * @param now the wall clock
 * @throws UpstreamStatusError for a status that is neither 200 nor the 304 to our validators
 * @throws UnusableKeySet for a body that is no key set or has no usable key
 */
export async function readResponse(
  response: JwksResponse,
  known: KnownKeySet | undefined,
  now: number,
  maxKeys: number,
): Promise<FetchedKeySet> {
  if (response.status === 304 && known !== undefined && known.policy.u === response.url) {
    const policy = revalidatedPolicy(known.policy, response.headers, now)
    if (policy !== undefined) return { keySet: known.keySet, policy, modified: false, ...NOTHING_REFUSED }
  }
  if (response.status !== 200) {
    const retryAfter = readRetryAfter(response.headers['retry-after'], now)
    throw new UpstreamStatusError(response.status, { retryAfter })
  }
  const value = await parseJson(response.body, { members: KEY_SET_MEMBERS, maxEntries: maxKeys })
  if (value === undefined) throw malformed('it is not JSON')
  const reading = await readKeySetInTurns(value, maxKeys, () => known?.keySet)
  if (reading === undefined) throw malformed('it is not a JSON Web Key Set')
  if (reading.keySet.keys.length === 0) throw malformed('none of its keys can be used', reading)
  return { ...reading, policy: storedPolicy(response.url, response.headers, now), modified: true }
}

function malformed(reason: string, content: RefusedContent = NOTHING_REFUSED): UnusableKeySet {
  return new UnusableKeySet(new KeySetMalformedError(reason), content)
}

/** One request for a key set. */
export interface JwksRequest {
  /** The headers to send to a URL. */
  headersFor(url: string): Readonly<Record<string, string>>
  /** Aborts the exchange. */
  readonly signal: AbortSignal
  /** Milliseconds for the headers to arrive, and between two parts of the body. */
  readonly timeout: number
  /** True when the last refresh failed: perhaps the key set has moved. */
  readonly relocate: boolean
  /** Called when a request is written to a connection. */
  onSent?(): void
}

/** A response, and the URL that it came from. */
export interface JwksResponse extends TransportResponse {
  /** The requested URL. */
  readonly url: string
}

/** Fetches a provider's key set. The cache knows no URL; the source finds it. */
export type JwksSource = (request: JwksRequest) => Promise<JwksResponse>

import CachePolicy from 'http-cache-semantics'
import { deltaSeconds, parseAge, parseCacheControl, parseExpires, parseHttpDate } from './cache-directives.ts'
import type { ResponseHeaders } from './response.ts'

/**
 * The caching headers of a stored response, as plain data that can be written to a snapshot. The form and the rules are
 * those of http-cache-semantics for a private cache; written out here, because that library's types are not installed
 * with it.
 */
export interface StoredPolicy {
  /** The version of the form. */
  readonly v: number
  /** When the response arrived, in milliseconds since the epoch. */
  readonly t: number
  /** Whether the cache is a shared one: never here. */
  readonly sh: boolean
  /** The share of an age that would be heuristic freshness: none here. */
  readonly ch: number
  /** The least freshness of an immutable response, in milliseconds: none here. */
  readonly imm: number
  /** The status. */
  readonly st: number
  /** The response's headers. */
  readonly resh: Readonly<Record<string, string | string[] | undefined>>
  /** The response's `Cache-Control` directives. */
  readonly rescc: Readonly<Record<string, string>>
  /** The request's method. */
  readonly m: string
  /** The request's URL. */
  readonly u?: string | undefined
  /** The request's host. */
  readonly h?: string | undefined
  /** Whether the request went without `Authorization`. */
  readonly a: boolean
  /** The request's headers, where the response varies by some. */
  readonly reqh: Readonly<Record<string, string | string[] | undefined>> | null
  /** The request's `Cache-Control` directives. */
  readonly reqcc: Readonly<Record<string, string>>
}

/** How long a response may be used according to its own headers. */
export interface Freshness {
  /**
   * Milliseconds for which the response is still fresh, its `Age` subtracted (RFC 9111 §4.2); 0 or less where it
   * must not be reused as it is; `undefined` where it has no explicit freshness.
   */
  readonly lifetime: number | undefined
  /** Milliseconds of `stale-if-error` (RFC 5861 §4); 0 without it. */
  readonly staleIfError: number
}

/** The validators to send with a conditional request (RFC 9110 §13.1). */
export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

/** The headers that say something about freshness or identity; no other one is stored. */
const STORED_HEADERS = ['age', 'cache-control', 'date', 'etag', 'expires', 'last-modified', 'pragma', 'vary']

/** The directives that a private cache needs; `s-maxage` and `private` are for shared ones. */
const STORED_DIRECTIVES = ['max-age', 'no-store', 'no-cache', 'must-revalidate', 'stale-if-error']

/**
 * No heuristic freshness from Last-Modified, and none from a bare `immutable`: where a response does not say
 * how long it is fresh, `defaultTtl` does.
 */
const PRIVATE_CACHE = { shared: false, cacheHeuristic: 0, immutableMinTimeToLive: 0 }

/** The policy of a response with status 200 that arrived at `receivedAt`, in milliseconds since the epoch. */
export function storedPolicy(url: string, headers: ResponseHeaders, receivedAt: number): StoredPolicy {
  const stored = Object.fromEntries(
    STORED_HEADERS.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]]),
  )
  const normalized = { ...stored, ...normalizedHeaders(stored, receivedAt) }
  const policy = new CachePolicy({ url, headers: {} }, { status: 200, headers: normalized }, PRIVATE_CACHE)
  return { ...policy.toObject(), t: receivedAt }
}

/**
 * The headers in the one form that the library reads correctly: it takes the last of repeated directives, whatever
 * `Date.parse` reads for a date, and letter case for a difference.
 */
function normalizedHeaders(headers: ResponseHeaders, receivedAt: number): Record<string, string> {
  const normalized: Record<string, string> = {}
  const { 'cache-control': cacheControl, expires, date, age } = headers
  if (cacheControl !== undefined) normalized['cache-control'] = normalizedCacheControl(cacheControl)
  if (expires !== undefined) normalized['expires'] = new Date(parseExpires(expires, receivedAt)).toUTCString()
  // A Date that cannot be read is as none: the time of arrival counts (RFC 9110 §6.6.1).
  const made = date === undefined ? undefined : parseHttpDate(date, receivedAt)
  if (date !== undefined) normalized['date'] = made === undefined ? '' : new Date(made).toUTCString()
  if (age !== undefined) normalized['age'] = String(parseAge(age))
  return normalized
}

function normalizedCacheControl(header: string): string {
  const directives = parseCacheControl(header)
  return STORED_DIRECTIVES.filter((name) => directives.has(name))
    .map((name) => {
      if (name !== 'max-age' && name !== 'stale-if-error') return name
      return `${name}=${deltaSeconds(directives.get(name)) ?? 0}`
    })
    .join(', ')
}

/**
 * The policy after a 304 (RFC 9111 §4.3.4 and §3.2): what it says replaces what was stored, and the rest stays,
 * except the `Age` and `Date` of the earlier response, which say nothing about the age of this validation. (Without a
 * `Date` of its own, that of the 304 is when it arrived: RFC 9110 §6.6.1.)
 *
 * (`revalidatedPolicy()` of the library leaves out headers that the stored response did not have.)
 *
 * @returns `undefined` when the 304 is about another representation than the stored one.
 */
export function revalidatedPolicy(
  stored: StoredPolicy,
  headers: ResponseHeaders,
  receivedAt: number,
): StoredPolicy | undefined {
  const { etag } = validatorsOf(stored)
  const confirmed = headers['etag']
  if (etag !== undefined && confirmed !== undefined && opaqueTag(etag) !== opaqueTag(confirmed)) return undefined
  const merged = { ...(stored.resh as Record<string, string>), age: undefined, date: undefined, ...headers }
  return storedPolicy(stored.u ?? '', merged, receivedAt)
}

/** The freshness of a response at the moment when it arrived. */
export function freshnessOf(stored: StoredPolicy): Freshness {
  const policy = CachePolicy.fromObject(stored)
  const directives: Readonly<Record<string, unknown>> = stored.rescc
  const explicit =
    directives['max-age'] !== undefined ||
    directives['no-store'] !== undefined ||
    directives['no-cache'] !== undefined ||
    stored.resh['expires'] !== undefined
  const lifetime = (policy.maxAge() - (deltaSeconds(textOf(stored.resh['age'])) ?? 0)) * 1000
  // RFC 9111 §5.2.2.2: must-revalidate forbids stale use after an error; only the operator's own window remains.
  const mayBeStale = directives['must-revalidate'] === undefined
  const staleIfError = mayBeStale ? (deltaSeconds(textOf(directives['stale-if-error'])) ?? 0) * 1000 : 0
  return { lifetime: explicit ? lifetime : undefined, staleIfError }
}

/**
 * An entity tag (RFC 9110 §8.8.3), or one without its quotes, as some servers send it. A provider's `*` or list, sent
 * back, would match any document (§13.1.2): a 304 to that would hide each rotation.
 */
const ENTITY_TAG = /^(?:W\/)?(?:"[^"]*"|[^\s",*]+)$/

/** The validators of the stored response; an `ETag` that is not an entity tag is ignored. */
export function validatorsOf(stored: StoredPolicy): Validators {
  const { etag, 'last-modified': lastModified } = stored.resh
  return {
    etag: typeof etag === 'string' && ENTITY_TAG.test(etag) ? etag : undefined,
    lastModified: typeof lastModified === 'string' ? lastModified : undefined,
  }
}

/**
 * True for a response that was made before the stored one, by their `Date`s (RFC 9111 §4: of several responses, the most
 * recent counts): a cache on the way still has what the origin has replaced.
 */
export function isOlder(headers: ResponseHeaders, stored: StoredPolicy): boolean {
  const made = parseHttpDate(headers['date'] ?? '', stored.t)
  const storedMade = parseHttpDate(textOf(stored.resh['date']) ?? '', stored.t)
  return made !== undefined && storedMade !== undefined && made < storedMade
}

/** The same policy without validators: the next request fetches the whole body. */
export function withoutValidators(stored: StoredPolicy): StoredPolicy {
  const { etag: _etag, 'last-modified': _lastModified, ...headers } = stored.resh
  return { ...stored, resh: headers }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** An entity tag for the weak comparison (RFC 9110 §8.8.3.2). */
function opaqueTag(etag: string): string {
  return etag.replace(/^\s*W\//, '').trim()
}

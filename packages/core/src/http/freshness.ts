import CachePolicy from 'http-cache-semantics'

/** Response headers by lower-case name. */
export type ResponseHeaders = Readonly<Record<string, string | undefined>>

/** A response, its redirects followed. */
export interface TransportResponse {
  readonly status: number
  readonly headers: ResponseHeaders
  /** The decoded body of a 200; empty for every other status. */
  readonly body: string
}

/** `Cache-Control` directives by lower-case name; `undefined` for one without an argument. */
export type CacheDirectives = ReadonlyMap<string, string | undefined>

/** A directive: a token, perhaps `=` and a token or a quoted string (RFC 9111 §5.2). */
const DIRECTIVE = /\s*([^\s,="]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*)))?\s*(?:,|$)|[^,]*(?:,|$)/gy

/**
 * Reads `Cache-Control`. Where a directive with a number is repeated, the smallest counts; one that is not a number is 0
 * (RFC 9111 §4.2.1: a response that contradicts itself may be considered stale).
 */
function parseCacheControl(header: string): CacheDirectives {
  const directives = new Map<string, string | undefined>()
  for (const [text, token, quoted, plain] of header.matchAll(DIRECTIVE)) {
    if (text === '') break
    if (token === undefined) continue
    const name = token.toLowerCase()
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain?.trim()
    if (!directives.has(name)) directives.set(name, value)
    else if (value !== undefined) directives.set(name, smaller(directives.get(name), value))
  }
  return directives
}

function smaller(one: string | undefined, other: string): string {
  return String(Math.min(deltaSeconds(one) ?? 0, deltaSeconds(other) ?? 0))
}

/** The greatest number of seconds that has to be understood (RFC 9111 §1.2.2): 68 years. */
const MAX_SECONDS = 2 ** 31

/** A number of seconds (RFC 9111 §1.2.2); `undefined` for anything else. */
function deltaSeconds(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Math.min(Number(value), MAX_SECONDS) : undefined
}

/** Seconds of `Age`: the first member, where it came several times (RFC 9111 §5.1); 0 for what is not a number. */
function parseAge(header: string | undefined): number {
  return deltaSeconds(header?.split(',')[0]?.trim()) ?? 0
}

/**
 * Reads `Expires`.
 *
 * @returns milliseconds since the epoch, the earliest where it came several times; 0, which is in the past, for anything
 * that is not an HTTP-date, `0` above all (RFC 9111 §5.3)
 */
function parseExpires(header: string, now: number): number {
  // An HTTP-date has one comma at most, after the name of its day.
  const dates = header.match(/[^,]*?[A-Za-z]{3,9},[^,]*|[^,]+/g) ?? []
  return Math.min(
    ...dates.map((date) => parseHttpDate(date, now) ?? 0),
    dates.length === 0 ? 0 : Number.MAX_SAFE_INTEGER,
  )
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const TIME = String.raw`(\d{2}):(\d{2}):(\d{2})`

/** `Sun, 06 Nov 1994 08:49:37 GMT`: the form that is sent today. */
const IMF_FIXDATE = new RegExp(`^[a-z]{3}, (\\d{2}) ([a-z]{3}) (\\d{4}) ${TIME} GMT$`, 'i')

/** `Sunday, 06-Nov-94 08:49:37 GMT`. */
const RFC_850_DATE = new RegExp(`^[a-z]{6,9}, (\\d{2})-([a-z]{3})-(\\d{2}) ${TIME} GMT$`, 'i')

/** `Sun Nov  6 08:49:37 1994`; some servers add `GMT`. */
const ASCTIME_DATE = new RegExp(`^[a-z]{3} ([a-z]{3}) ([ \\d]\\d) ${TIME} (\\d{4})(?: GMT)?$`, 'i')

/** Milliseconds in 50 years, for years with two digits. */
const FIFTY_YEARS = 50 * 365.25 * 86_400_000

/**
 * Reads an HTTP-date in one of its three forms (RFC 9110 §5.6.7). `Date.parse` would also take `3600` (a year) or
 * `-1` (a month) for a date.
 *
 * @param now milliseconds since the epoch; decides the century of a year with two digits
 * @returns milliseconds since the epoch; `undefined` for anything that is not an HTTP-date
 */
export function parseHttpDate(value: string, now: number): number | undefined {
  const text = value.trim()
  const [, ...fixdate] = IMF_FIXDATE.exec(text) ?? []
  if (fixdate.length > 0) return timeOf(fixdate)
  const [, day = '', month = '', year, ...time] = RFC_850_DATE.exec(text) ?? []
  if (year !== undefined) {
    const date = timeOf([day, month, `20${year}`, ...time])
    return date !== undefined && date - now > FIFTY_YEARS ? timeOf([day, month, `19${year}`, ...time]) : date
  }
  const [, monthName = '', dayOfMonth, hour = '', minute = '', second = '', fullYear = ''] =
    ASCTIME_DATE.exec(text) ?? []
  if (dayOfMonth === undefined) return undefined
  return timeOf([dayOfMonth, monthName, fullYear, hour, minute, second])
}

function timeOf(parts: readonly string[]): number | undefined {
  const [day = '', monthName = '', year, hour, minute, second] = parts
  const month = MONTHS.indexOf(monthName.toLowerCase())
  const time = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second))
  // Date.UTC carries over, so that 31 February would be 3 March. Second 60 is a leap second.
  const midnight = new Date(Date.UTC(Number(year), month, Number(day)))
  const isValid = month >= 0 && midnight.getUTCDate() === Number(day) && Number(hour) < 24 && Number(minute) < 60
  return isValid && Number(second) <= 60 ? time : undefined
}

/**
 * Reads `Retry-After` (RFC 9110 §10.2.3), given as seconds or as a date.
 *
 * @param now milliseconds since the epoch
 * @returns milliseconds from `now`, at least 0; `undefined` when the header is absent or in neither form
 */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000
  const date = parseHttpDate(text, now)
  return date === undefined ? undefined : Math.max(0, date - now)
}

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

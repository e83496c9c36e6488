/** A request, as far as authentication reads it. Adapters make it from their framework's request. */
export interface AuthRequest {
  /** The method, in upper case. */
  readonly method: string
  /** The request target as the client sent it (RFC 9112 §3.2), also under a mount. */
  readonly url: string
  /** The host name without port, where the framework knows better than the `Host` header (trusted proxies). */
  readonly hostname?: string | undefined
  /** Headers by name, in any case; an array where a header came more than once. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The framework's own request, for callbacks of the application. */
  readonly raw?: unknown
}

/** What `authenticate` accepts: an {@link AuthRequest}, the same with fetch `Headers`, or a fetch `Request`. */
export type AuthRequestLike =
  | AuthRequest
  | (Omit<AuthRequest, 'headers'> & {
      /** The request's headers as a fetch `Headers` object. */
      readonly headers: FetchHeaders
    })
  | FetchRequest

/** The part of a fetch `Headers` object that is read. */
export interface FetchHeaders {
  /** The value of a header, those of repeated ones joined. */
  get(name: string): string | null
  /** Calls back for each header, by its lower-case name. */
  forEach(callback: (value: string, name: string) => void): void
}

/** The part of a fetch `Request` that is read. */
export interface FetchRequest {
  /** The method. */
  readonly method: string
  /** The absolute URL. */
  readonly url: string
  /** The headers. */
  readonly headers: FetchHeaders
}

/**
 * Reads what `authenticate` was given. A fetch `Request` becomes an {@link AuthRequest} whose `raw` it is.
 *
 * @throws TypeError for anything else than an {@link AuthRequestLike}: it must not pass for a request without a token
 */
export function toAuthRequest(request: AuthRequestLike): AuthRequest {
  const value: unknown = request
  if (typeof value !== 'object' || value === null) throw notARequest('it must be an object')
  const { method, url, headers } = request
  if (typeof method !== 'string') throw notARequest('method must be a string')
  if (typeof url !== 'string') throw notARequest('url must be a string')
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw notARequest('headers must be an object of headers by name, or fetch Headers')
  }
  if (!isFetchHeaders(headers)) {
    // Checked: its headers are a record.
    return request as AuthRequest
  }
  const { hostname, raw } = request as AuthRequest
  const record = recordOf(headers)
  if (hostname !== undefined || raw !== undefined || url.startsWith('/')) {
    return { method, url, hostname, headers: record, raw }
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined) return { method, url, headers: record, raw: request }
  return {
    method,
    url: parsed.pathname + parsed.search,
    hostname: parsed.hostname,
    headers: record,
    raw: request,
  }
}

/** A header by its lower-case name, whatever case the record has; an array where it came more than once. */
export function headerIn(headers: AuthRequest['headers'], name: string): string | readonly string[] | undefined {
  let found: string | readonly string[] | undefined
  for (const key in headers) {
    if (key.length !== name.length || key.toLowerCase() !== name || !Object.hasOwn(headers, key)) continue
    const value = headers[key]
    if (value === undefined) continue
    found = found === undefined ? value : [found, value].flat()
  }
  return found
}

function isFetchHeaders(headers: AuthRequestLike['headers']): headers is FetchHeaders {
  return typeof headers['get'] === 'function' && typeof headers['forEach'] === 'function'
}

function recordOf(headers: FetchHeaders): AuthRequest['headers'] {
  const entries: [string, string][] = []
  headers.forEach((value, name) => {
    entries.push([name, value])
  })
  return Object.fromEntries(entries)
}

function notARequest(reason: string): TypeError {
  return new TypeError(`authenticate takes an AuthRequest or a fetch Request: ${reason}`)
}

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
function headerIn(headers: AuthRequest['headers'], name: string): string | readonly string[] | undefined {
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

/** What the requests of Express, Koa, Fastify and plain Node have in common. */
export interface FrameworkRequest {
  /** The method, in upper case. */
  readonly method?: string | undefined
  /** The request target as the client sent it, where a framework changes `url` under a mount. */
  readonly originalUrl?: string | undefined
  /** The request target, where there is no `originalUrl`: plain Node. */
  readonly url?: string | undefined
  /** The host name without port, by the framework's rules for proxies. */
  readonly hostname?: string | undefined
}

/** Reads a framework's request lazily: most requests need one header and nothing else. */
class LazyAuthRequest implements AuthRequest {
  readonly raw: FrameworkRequest
  readonly #node: NodeHeaders
  #headers: AuthRequest['headers'] | undefined

  constructor(request: FrameworkRequest, node: NodeHeaders) {
    this.raw = request
    this.#node = node
  }

  get method(): string {
    return this.raw.method ?? 'GET'
  }

  get url(): string {
    return this.raw.originalUrl ?? this.raw.url ?? '/'
  }

  get hostname(): string | undefined {
    return this.raw.hostname
  }

  get headers(): AuthRequest['headers'] {
    this.#headers ??= nodeHeaders(this.#node)
    return this.#headers
  }

  header(name: string): string | readonly string[] | undefined {
    return nodeHeader(this.#node, name)
  }
}

/**
 * Returns the request of a framework on Node in the form that an authenticator takes.
 *
 * @param request the framework's own request, which resolvers and callbacks get as `raw`
 * @param node the Node request under it
 */
export function frameworkRequest(request: FrameworkRequest, node: NodeHeaders): AuthRequest {
  return new LazyAuthRequest(request, node)
}

/** True for a request that {@link frameworkRequest} made. */
export function isFrameworkRequest(request: unknown): request is AuthRequest {
  return request instanceof LazyAuthRequest
}

/** Returns one header of a request, by its lower-case name. Of a framework's request it reads no other header. */
export function headerOf(request: AuthRequest, name: string): string | readonly string[] | undefined {
  return request instanceof LazyAuthRequest ? request.header(name) : headerIn(request.headers, name)
}

/**
 * Whether a page of the same origin caused a request: by Fetch Metadata, or, from a browser without it, by an `Origin` that
 * is the requested host. `undefined` for a request with neither, which no current browser sends with an unsafe method.
 */
export function isSameOrigin(request: AuthRequest): boolean | undefined {
  const site = headerOf(request, 'sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  const origin = headerOf(request, 'origin')
  if (origin === undefined) return undefined
  const host = headerOf(request, 'host') ?? headerOf(request, ':authority')
  if (typeof origin !== 'string' || typeof host !== 'string') return false
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host.toLowerCase()
}

/** The headers of a Node request. */
export interface NodeHeaders {
  /** Headers by lower-case name, repeated ones joined or dropped by Node. */
  readonly headers: AuthRequest['headers']
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders?: readonly string[] | undefined
}

/**
 * Returns one header, by its lower-case name; an array where it came more than once. `headers` does not show that: Node
 * silently drops a second `Authorization` or `Host`, and joins other repeated headers.
 */
function nodeHeader({ headers, rawHeaders }: NodeHeaders, name: string): string | readonly string[] | undefined {
  if (rawHeaders === undefined) return headers[name]
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (isNamed(rawHeaders[at], name)) count += 1
  return count > 1 ? rawHeaders.filter((_, at) => at % 2 === 1 && isNamed(rawHeaders[at - 1], name)) : headers[name]
}

/** Compares lengths first, since most names differ in length. */
function isNamed(written: string | undefined, name: string): boolean {
  if (written === undefined || written.length !== name.length) return false
  return written === name || written.toLowerCase() === name
}

/** Returns all headers, with an array for each that came more than once. Use it instead of a Node request's `headers`. */
export function nodeHeaders({ headers, rawHeaders }: NodeHeaders): AuthRequest['headers'] {
  if (rawHeaders === undefined) return headers
  // Counting `headers` is not enough: a middleware may have added as many as Node left out.
  const seen = new Map<string, string[]>()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    const values = seen.get(name)
    if (values === undefined) seen.set(name, [rawHeaders[at + 1] ?? ''])
    else values.push(rawHeaders[at + 1] ?? '')
  }
  if (seen.size * 2 === rawHeaders.length) return headers
  const repeated = [...seen].filter(([, values]) => values.length > 1)
  return { ...headers, ...Object.fromEntries(repeated) }
}

/** The members of a Node response that say whether anything can still be sent; `stream` is that of HTTP/2. */
export interface NodeResponse {
  /** True once the status and the headers are sent. */
  readonly headersSent?: boolean
  /** True once the end of the body was written. */
  readonly writableEnded?: boolean
  /** True once the response is closed, also by a client that went away. */
  readonly destroyed?: boolean
  /** The HTTP/2 stream, in the place of `destroyed`. */
  readonly stream?:
    | {
        /** True once the stream is closed. */
        readonly destroyed: boolean
      }
    | null
    | undefined
}

/**
 * True where a request is over: a response was sent already, perhaps by a time limit, or the client has gone away. Then
 * an adapter neither sends a response nor runs the handler.
 */
export function isResponseOver({ headersSent, writableEnded, destroyed, stream }: NodeResponse): boolean {
  return headersSent === true || writableEnded === true || destroyed === true || stream?.destroyed === true
}

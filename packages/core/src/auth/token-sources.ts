import { type AuthRequest, headerOf, isSameOrigin } from '../base/auth-request.ts'
import { RequestRefusedError } from '../base/errors/jwks-auth-error.ts'
import {
  AuthorizationMalformedError,
  CrossSiteRequestError,
  TokenMalformedError,
  TokenTooLongError,
} from '../base/errors/request-errors.ts'
import {
  boolean,
  knownOptions,
  type OptionTable,
  objectOption,
  optional,
  readOptions,
  stringOption,
  stringsOption,
} from '../base/options.ts'
import { isThenable } from '../base/steps.ts'

/**
 * Extracts the token of a request; `undefined` where there is none. May be asynchronous. A function of the application
 * gets the same two arguments; an error of this package that it throws refuses the request, any other error goes to the
 * framework.
 *
 * @param maxTokenBytes the option of that name: a source may refuse a longer token unread
 */
export type TokenSource = (
  request: AuthRequest,
  maxTokenBytes: number,
) => string | undefined | Promise<string | undefined>

/** Options of {@link tokenFromCookie}. */
export interface CookieSourceOptions {
  /**
   * `false` accepts the cookie on every request. By default an unsafe request (any method but GET, HEAD, OPTIONS and TRACE,
   * and any upgrade request, such as a WebSocket handshake) needs a same-origin `Sec-Fetch-Site` or `Origin`, or an
   * `Origin` in `origins`: browsers send cookies with requests that other sites make.
   */
  readonly csrf?: boolean | undefined
  /** Other origins whose requests may use the cookie, such as `https://app.example.com`. Not with `csrf: false`. Default none. */
  readonly origins?: string | readonly string[] | undefined
}

const cookieTable = {
  csrf: boolean(true),
  origins: optional(checkOrigins, new Set<string>()),
} satisfies OptionTable<CookieSourceOptions>

/** Marks sources whose tokens a shared cache could mistake for part of a public request. */
const isPrivate: unique symbol = Symbol.for('@jwks-auth/core: private token source') as never

/** RFC 9110 §9.2.1. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** RFC 6265 §4.1.1: a cookie's name is a token. */
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** The scheme (RFC 9110 §11.1: case-insensitive), and not a longer word that starts with it. */
const BEARER = /^bearer(?![!#$%&'*+.^_`|~0-9a-z-])/i
const SPACE = 0x20
/** RFC 6750 §2.1. */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** Takes the token from the `Authorization` header (RFC 6750 §2.1). The default. */
export function tokenFromHeader(): TokenSource {
  return fromHeader
}

const fromHeader: TokenSource = (request, maxTokenBytes) =>
  bearerCredentials(headerOf(request, 'authorization'), maxTokenBytes)

/**
 * Takes the credentials from an `Authorization` header. Their characters are not checked: most tokens are in the token
 * cache, and one that parses as a JWT has the characters of a token.
 *
 * @returns `undefined` where there are no credentials or those of another scheme
 * @throws AuthorizationMalformedError for a header that came twice, or has no token after the scheme
 * @throws TokenTooLongError past `maxBytes`, before anything is read
 */
function bearerCredentials(header: string | readonly string[] | undefined, maxBytes: number): string | undefined {
  if (header === undefined || header === '') return undefined
  if (typeof header !== 'string') throw new AuthorizationMalformedError('the Authorization header came more than once')
  if (!BEARER.test(header)) return undefined
  let start = 'bearer'.length
  // There may be many spaces after the scheme; a header longer than those and a token together is refused unread.
  if (header.length - start > maxBytes * 2) throw new TokenTooLongError()
  while (header.charCodeAt(start) === SPACE) start += 1
  if (header.length - start > maxBytes) throw new TokenTooLongError()
  if (header.length === start) throw new AuthorizationMalformedError('the Authorization header has no token')
  return header.slice(start)
}

/** True for credentials that are one token by their characters (RFC 6750 §2.1). */
export function isBearerToken(credentials: string): boolean {
  return B64TOKEN.test(credentials)
}

/**
 * Takes the token from a cookie. Responses then carry `Cache-Control: private`. A request that another site may have
 * caused is refused with `ERR_CROSS_SITE_REQUEST`, unless it carries a token elsewhere, too.
 *
 * @throws TypeError for an invalid cookie name or option
 */
export function tokenFromCookie(name: string, options: CookieSourceOptions = {}): TokenSource {
  if (!COOKIE_NAME.test(stringOption('tokenFromCookie name', name))) {
    throw new TypeError('tokenFromCookie name must be a cookie name')
  }
  const given = objectOption('tokenFromCookie options', options)
  knownOptions('tokenFromCookie', given, Object.keys(cookieTable))
  const { csrf: isProtected, origins } = readOptions('tokenFromCookie ', given, cookieTable)
  if (!isProtected && origins.size > 0) throw new TypeError('tokenFromCookie origins has no effect with csrf: false')
  const source: TokenSource = (request) => {
    const values = cookieValues(headerOf(request, 'cookie'), name)
    if (values.length === 0) return undefined
    if (isProtected && isUnsafe(request) && isSameOrigin(request) !== true && !isAllowedOrigin(request, origins)) {
      throw new CrossSiteRequestError()
    }
    return onlyOne(values, 'the cookie with the token came more than once')
  }
  return Object.assign(source, { [isPrivate]: true })
}

/**
 * Takes the token from the query (RFC 6750 §2.3, which advises against it: URLs end up in logs and histories). Responses
 * then carry `Cache-Control: private`.
 */
export function tokenFromQuery(name = 'access_token'): TokenSource {
  stringOption('tokenFromQuery name', name)
  const source: TokenSource = ({ url }) => {
    const start = url.indexOf('?')
    if (start < 0) return undefined
    const values = new URLSearchParams(url.slice(start + 1)).getAll(name)
    return onlyOne(values, 'the query parameter with the token came more than once')
  }
  return Object.assign(source, { [isPrivate]: true })
}

/** A token of a request. */
export interface FoundToken {
  readonly text: string
  /** True where it is from the `Authorization` header, and its characters are unchecked. */
  readonly isFromHeader: boolean
  /** True where shared caches must not store the response (RFC 6750 §2.3). */
  readonly isPrivate: boolean
}

/** What was found; `undefined` where there is no token. */
export type FindResult = FoundToken | RequestRefusedError | undefined

/** Extracts the token from all sources: a request with tokens in two places is malformed (RFC 6750 §2). */
export function findToken(
  request: AuthRequest,
  sources: readonly TokenSource[],
  maxTokenBytes: number,
): FindResult | Promise<FindResult> {
  let found: FindResult | Promise<FindResult>
  for (const source of sources) {
    const result = readSource(source, request, maxTokenBytes)
    found =
      isThenable(found) || isThenable(result) ? Promise.all([found, result]).then(combine) : combine([found, result])
  }
  return found
}

function readSource(
  source: TokenSource,
  request: AuthRequest,
  maxTokenBytes: number,
): FindResult | Promise<FindResult> {
  try {
    const result: unknown = source(request, maxTokenBytes)
    if (!isThenable(result)) return foundIn(source, result, maxTokenBytes)
    return Promise.resolve(result).then((awaited) => foundIn(source, awaited, maxTokenBytes), refusalOrThrow)
  } catch (error) {
    return refusalOrThrow(error)
  }
}

function foundIn(source: TokenSource, result: unknown, maxTokenBytes: number): FindResult {
  if (result === undefined || result === null || result === '') return undefined
  if (typeof result !== 'string') throw new TypeError('getToken must return a string or undefined')
  if (result.length > maxTokenBytes) return new TokenTooLongError()
  return { text: result, isFromHeader: source === fromHeader, isPrivate: isPrivate in source }
}

/** Reads a token that comes without a request: a client of a socket may have sent anything. */
export function readGiven({ token }: { readonly token: unknown }, maxTokenBytes: number): FindResult {
  if (token === undefined || token === null || token === '') return undefined
  if (typeof token !== 'string') return new TokenMalformedError()
  return token.length > maxTokenBytes ? new TokenTooLongError() : { text: token, isFromHeader: false, isPrivate: false }
}

/** A refusal is a result; any other error is the application's. */
function refusalOrThrow(error: unknown): RequestRefusedError {
  if (error instanceof RequestRefusedError) return error
  throw error
}

/** A cookie that is refused as cross-site counts only where there is no other token. */
function combine([one, other]: readonly [FindResult, FindResult]): FindResult {
  if (one === undefined || other === undefined) return one ?? other
  if (one instanceof CrossSiteRequestError) return other
  if (other instanceof CrossSiteRequestError) return one
  if (one instanceof RequestRefusedError) return one
  if (other instanceof RequestRefusedError) return other
  return new AuthorizationMalformedError('it carries more than one token')
}

function onlyOne(values: readonly string[], otherwise: string): string | undefined {
  if (values.length > 1) throw new AuthorizationMalformedError(otherwise)
  return values[0]
}

/**
 * The values of every cookie of this name (RFC 6265 §4.2.1). Parsed by hand, because libraries return the first of several,
 * which another subdomain may have planted.
 */
function cookieValues(header: string | readonly string[] | undefined, name: string): readonly string[] {
  return [header ?? []]
    .flat()
    .flatMap((line) => line.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1).replace(/^"(.*)"$/, '$1'))
    .filter((value) => value !== '')
}

/** True for a request that may change something. A WebSocket handshake is a GET, and CORS does not apply to it. */
function isUnsafe(request: AuthRequest): boolean {
  return !SAFE_METHODS.has(request.method) || headerOf(request, 'upgrade') !== undefined
}

function isAllowedOrigin(request: AuthRequest, origins: ReadonlySet<string>): boolean {
  const origin = headerOf(request, 'origin')
  return typeof origin === 'string' && origins.has(origin)
}

/** Origins as browsers send them (RFC 6454 §6.2). */
function checkOrigins(name: string, value: unknown): ReadonlySet<string> {
  const origins = stringsOption(name, value)
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new TypeError(`${name} must be origins, such as "https://app.example.com"`)
    }
  }
  return new Set(origins)
}

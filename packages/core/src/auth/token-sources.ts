import type { AuthRequest } from '../base/auth-request.ts'
import { AuthorizationMalformedError, TokenMissingError, TokenTooLongError } from '../base/errors/request-errors.ts'
import { headerOf } from '../base/framework-request.ts'
import { booleanOption, knownOptions, objectOption, stringOption } from '../base/options.ts'
import { bearerToken } from './bearer.ts'

/**
 * Finds the token of a request; `undefined` where there is none. A function of the application gets the same two
 * arguments, and what it throws goes the framework's own way.
 *
 * @param maxTokenBytes the option of that name: a source may refuse a longer token unread
 */
export type TokenSource = (request: AuthRequest, maxTokenBytes: number) => string | undefined

/** What {@link tokenFromCookie} takes. */
export interface CookieSourceOptions {
  /**
   * `false` takes the cookie on every request. By default a request that may change something (any method but GET,
   * HEAD, OPTIONS and TRACE) counts only with a same-origin `Sec-Fetch-Site` or `Origin`: browsers send cookies along
   * with requests that other sites make.
   */
  readonly csrf?: boolean | undefined
}

/** Marks sources whose tokens caches on the way could take for part of a public answer. */
const isPrivate: unique symbol = Symbol.for('@jwks-auth/core: private token source') as never

/** RFC 9110 §9.2.1. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** RFC 6265 §4.1.1: a cookie's name is a token. */
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Takes the token from the `Authorization` header (RFC 6750 §2.1). The default. */
export function tokenFromHeader(): TokenSource {
  return fromHeader
}

const fromHeader: TokenSource = (request, maxTokenBytes) =>
  bearerToken(headerOf(request, 'authorization'), maxTokenBytes)

/** True for what {@link tokenFromHeader} made. */
export function isHeaderSource(source: TokenSource): boolean {
  return source === fromHeader
}

/**
 * Takes the token from a cookie. Answers then carry `Cache-Control: private`.
 *
 * @throws TypeError for what is no cookie name, or a wrong option
 */
export function tokenFromCookie(name: string, options: CookieSourceOptions = {}): TokenSource {
  if (!COOKIE_NAME.test(stringOption('tokenFromCookie name', name))) {
    throw new TypeError('tokenFromCookie name must be a cookie name')
  }
  const given = objectOption('tokenFromCookie options', options)
  knownOptions('tokenFromCookie', given, ['csrf'])
  const protects = booleanOption('tokenFromCookie csrf', given['csrf'] ?? true)
  const source: TokenSource = (request) => {
    const values = cookieValues(headerOf(request, 'cookie'), name)
    if (values.length === 0 || (protects && !SAFE_METHODS.has(request.method) && !isSameOrigin(request)))
      return undefined
    return onlyOne(values)
  }
  return Object.assign(source, { [isPrivate]: true })
}

/**
 * Takes the token from the query (RFC 6750 §2.3, which advises against it: URLs end up in logs and histories). Answers
 * then carry `Cache-Control: private`.
 */
export function tokenFromQuery(name = 'access_token'): TokenSource {
  stringOption('tokenFromQuery name', name)
  const source: TokenSource = ({ url }) => {
    const start = url.indexOf('?')
    return start < 0 ? undefined : onlyOne(new URLSearchParams(url.slice(start + 1)).getAll(name))
  }
  return Object.assign(source, { [isPrivate]: true })
}

/** A token, and whether the answer must be kept from shared caches (RFC 6750 §2.3). */
export interface FoundToken {
  readonly token: string
  readonly isPrivate: boolean
}

/**
 * Asks every source, since a token in more than one place is not one token (RFC 6750 §2).
 *
 * @throws TokenMissingError where there is none
 * @throws AuthorizationMalformedError where there are several, or one is malformed
 * @throws TokenTooLongError past `maxTokenBytes`
 */
export function findToken(request: AuthRequest, sources: readonly TokenSource[], maxTokenBytes: number): FoundToken {
  let found: FoundToken | undefined
  for (const source of sources) {
    const token: unknown = source(request, maxTokenBytes)
    if (token === undefined || token === null || token === '') continue
    if (typeof token !== 'string') throw new TypeError('getToken must return a string or undefined, and not a promise')
    if (found !== undefined) throw new AuthorizationMalformedError()
    if (token.length > maxTokenBytes) throw new TokenTooLongError()
    found = { token, isPrivate: isPrivate in source }
  }
  if (found === undefined) throw new TokenMissingError()
  return found
}

function onlyOne(values: readonly string[]): string | undefined {
  if (values.length > 1) throw new AuthorizationMalformedError()
  return values[0]
}

/**
 * The values of every cookie of this name (RFC 6265 §4.2.1). By hand, because libraries give the first of several, and
 * one that a neighbouring subdomain has planted may be the first.
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

/** By the browser's own word (Fetch Metadata), or, from one that has none, by the origin being the host that is asked. */
function isSameOrigin(request: AuthRequest): boolean {
  const site = headerOf(request, 'sec-fetch-site')
  const origin = headerOf(request, 'origin')
  const host = headerOf(request, 'host')
  if (site !== undefined) return site === 'same-origin'
  if (typeof origin !== 'string' || typeof host !== 'string') return false
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host.toLowerCase()
}

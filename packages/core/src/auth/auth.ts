import { inspect } from 'node:util'
import { isObject } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { TokenHeader } from './parse-token.ts'

/** Deeper data is not cloned: no real claims are, and the stack must not depend on a token. */
const MAX_DEPTH = 32

/** What a member costs beside its value: a slot, and its part of a hidden class. */
const MEMBER_BYTES = 64
const OBJECT_BYTES = 64
const STRING_BYTES = 24
const NUMBER_BYTES = 16

/** Clones JSON data, such as {@link isJsonData} accepts. A change of the clone does not affect the original. */
export function cloneJson<Data>(value: Data): Data {
  if (typeof value !== 'object' || value === null) return value
  // The result has the type of what it was cloned from.
  return (Array.isArray(value) ? cloneArray(value) : cloneObject(value)) as Data
}

function cloneArray(items: readonly unknown[]): readonly unknown[] {
  const copy = items.slice()
  for (let at = 0; at < copy.length; at += 1) copy[at] = cloneJson(copy[at])
  return copy
}

/** `for … in` takes half the time of `Object.keys`, on each request. */
function cloneObject(value: object): object {
  const copy: Record<string, unknown> = { ...value }
  for (const name in copy) {
    // Own members only, `__proto__` included: the spread has created them.
    if (typeof copy[name] === 'object' && Object.hasOwn(copy, name)) copy[name] = cloneJson(copy[name])
  }
  return copy
}

/**
 * True for data that {@link cloneJson} clones completely: primitives, arrays and plain objects, to a depth of 32.
 * Instances of classes (dates and maps too), functions, accessors and hidden members are not JSON data.
 */
export function isJsonData(value: unknown, depth: number = MAX_DEPTH): boolean {
  if (typeof value === 'function') return false
  if (typeof value !== 'object' || value === null) return true
  const isArray = Array.isArray(value)
  if (depth === 0 || Object.getPrototypeOf(value) !== (isArray ? Array.prototype : Object.prototype)) return false
  const members = Object.entries(Object.getOwnPropertyDescriptors(value))
  const names = Reflect.ownKeys(value).length
  if (names !== members.length) return false
  // An array's `length` is its one hidden member; with holes, it has fewer items than that says.
  if (isArray && names !== value.length + 1) return false
  return members.every(([name, { value: member, enumerable, get, set }]) => {
    if (get !== undefined || set !== undefined) return false
    return enumerable === true ? isJsonData(member, depth - 1) : isArray && name === 'length'
  })
}

/**
 * Estimates the bytes that JSON data takes in memory, rather too many than too few; `Infinity` where it nests deeper than
 * 32 levels.
 */
export function bytesOfJson(value: unknown, depth: number = MAX_DEPTH): number {
  if (typeof value === 'string') return STRING_BYTES + 2 * value.length
  if (typeof value !== 'object' || value === null) return NUMBER_BYTES
  if (depth === 0) return Number.POSITIVE_INFINITY
  let bytes = OBJECT_BYTES
  if (Array.isArray(value)) {
    for (const item of value) bytes += NUMBER_BYTES + bytesOfJson(item, depth - 1)
    return bytes
  }
  for (const member of Object.values(value)) bytes += MEMBER_BYTES + bytesOfJson(member, depth - 1)
  for (const name of Object.keys(value)) bytes += name.length
  return bytes
}

/** The claims of a verified access token (RFC 7519 §4.1); other claims of the issuer are `unknown`. */
export interface AccessTokenClaims {
  /** The issuer (§4.1.1). */
  readonly iss: string
  /** The subject (§4.1.2). */
  readonly sub?: string
  /** The audience (§4.1.3). */
  readonly aud?: string | readonly string[]
  /** When it expires, in seconds since the epoch (§4.1.4). */
  readonly exp: number
  /** The time before which it is not valid, in seconds since the epoch (§4.1.5). */
  readonly nbf?: number
  /** When it was issued, in seconds since the epoch (§4.1.6). */
  readonly iat?: number
  /** The id of the token (§4.1.7). */
  readonly jti?: string
  /** Any other claim. */
  readonly [claim: string]: unknown
}

/** The verified token of a request, and the tenant that it belongs to. */
export interface Auth<Claims = RegisteredClaims> {
  /** The tenant of the request, which the token belongs to. */
  readonly tenant: string
  /** The tenant's provider that issued the token. */
  readonly provider: string
  /** The verified claims; with a schema in `claims`, its output. */
  readonly claims: Claims
  /** The protected header of the token. */
  readonly header: TokenHeader
  /**
   * The token itself, for requests on behalf of the client. Not enumerable: `JSON.stringify`, `util.inspect` and copies
   * do not contain it.
   */
  readonly token: string
  /**
   * The scopes of the token, from `scope` (RFC 9068 §2.2.3) or `scp`, or from where the option `scopes` says, and those
   * that `impliedScopes` adds. An array in JSON.
   */
  readonly scopes: ReadonlySet<string>
  /** When the token expires by its `exp`, in milliseconds since the epoch; `clockTolerance` is not added. */
  readonly expiresAt: number
}

/**
 * Declares the application's middleware, so that `req.auth` and `request.auth` have the type of its claims:
 *
 * ```ts
 * const authenticate = jwksAuth({ …, claims: schema })
 * declare module '@jwks-auth/core' {
 *   interface Register { claims: ClaimsOf<typeof authenticate> }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: applications add to it.
export interface Register {}

/** The claims' type that the application has put in {@link Register}; {@link AccessTokenClaims} where it has not. */
export type RegisteredClaims = Register extends { readonly claims: infer Claims } ? Claims : AccessTokenClaims

/**
 * The type of `req.auth` in Express: {@link Auth}, or what the application has put in {@link Register} as `auth`. That is
 * for applications with another package that declares the same property, such as express-oauth2-jwt-bearer or the MCP SDK,
 * since TypeScript wants both declarations to agree; `getAuth(req)` has the type of this package in any case.
 *
 * ```ts
 * declare module '@jwks-auth/core' {
 *   interface Register { auth: AuthResult | undefined }
 * }
 * ```
 */
export type RequestProperty = Register extends { readonly auth: infer Property } ? Property : Auth | undefined

/** The type of the claims that an authenticator or a middleware attaches. */
export type ClaimsOf<Authenticating> = Authenticating extends {
  readonly authenticator: { authenticate(request: never): infer Outcome }
}
  ? Extract<Awaited<Outcome>, { readonly ok: true }> extends { readonly auth: Auth<infer Claims> | undefined }
    ? Claims
    : never
  : never

/** What of an {@link Auth} is the same for each request with a token. */
export interface AuthParts {
  readonly text: string
  readonly scopes: readonly string[]
  readonly expiresAt: number
  readonly authentication: UserAuthentication
}

/** How and when the user authenticated, by the claims of the token (RFC 9470 §6.1). Unchecked. */
export interface UserAuthentication {
  readonly acr: unknown
  readonly authTime: unknown
  /** That of the token's provider. */
  readonly clockTolerance: number
}

/**
 * {@link Auth} whose token is no own property, so that neither `JSON.stringify`, `util.inspect`, a logger nor a spread copy
 * shows it.
 */
class RequestAuth<Claims> implements Auth<Claims> {
  readonly tenant: string
  readonly provider: string
  readonly claims: Claims
  readonly header: TokenHeader
  readonly scopes: ReadonlySet<string>
  readonly expiresAt: number
  readonly #parts: AuthParts
  #token: string

  constructor({ tenant, provider }: ProviderKey, parts: AuthParts, claims: Claims, header: TokenHeader) {
    const { text, scopes, expiresAt } = parts
    this.tenant = tenant
    this.provider = provider
    this.claims = claims
    this.header = header
    this.scopes = new Set(scopes)
    this.expiresAt = expiresAt
    this.#parts = parts
    this.#token = text
  }

  /** What it was created from; `undefined` for anything but a {@link RequestAuth} of this copy of the package. */
  static partsOf(auth: object): AuthParts | undefined {
    return #parts in auth ? auth.#parts : undefined
  }

  get token(): string {
    return this.#token
  }

  /** A handler may change its own `auth`, as it may the other members. */
  set token(text: string) {
    this.#token = text
  }

  /** For `JSON.stringify`, which makes `{}` of a `Set`. */
  toJSON(): object {
    return { ...this[inspect.custom](), scopes: [...this.scopes] }
  }

  /** For `util.inspect`, which can show accessors. */
  [inspect.custom](): object {
    const { tenant, provider, claims, header, scopes, expiresAt } = this
    return { tenant, provider, claims, header, scopes, expiresAt }
  }
}

/** The verified token as the application sees it. */
export function createAuth<Claims>(
  provider: ProviderKey,
  parts: AuthParts,
  claims: Claims,
  header: TokenHeader,
): Auth<Claims> {
  return new RequestAuth(provider, parts, claims, header)
}

/** What {@link createAuth} was given; `undefined` for what it did not create. */
export function partsOf(auth: object): AuthParts | undefined {
  return RequestAuth.partsOf(auth)
}

/** How and when the user authenticated. Reads the claims where another copy of this package has created the `Auth`. */
export function authenticationOf(auth: Auth<unknown>): UserAuthentication {
  const parts = partsOf(auth)
  if (parts !== undefined) return parts.authentication
  const claims = isObject(auth.claims) ? auth.claims : {}
  return { acr: claims['acr'], authTime: claims['auth_time'], clockTolerance: 0 }
}

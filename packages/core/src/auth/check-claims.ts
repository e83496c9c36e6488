import type { RequestRefusedError } from '../base/errors/jwks-auth-error.ts'
import {
  AlgorithmNotAllowedError,
  AudienceNotAllowedError,
  ClaimMalformedError,
  ClaimMissingError,
  ClaimNotBoundError,
  ClientNotAllowedError,
  ConfirmationNotCheckedError,
  TokenExpiredError,
  TokenIssuedInFutureError,
  TokenNotYetValidError,
  TokenTooOldError,
  TokenTypeNotAllowedError,
} from '../base/errors/request-errors.ts'
import { isObject, objectOption, stringListOption, stringOption, stringsOption } from '../base/options.ts'
import { type AccessTokenClaims, bytesOfJson, cloneJson } from './auth.ts'
import type { ClaimRules } from './claim-rules.ts'
import { canonicalType, type ParsedToken } from './parse-token.ts'

/** The claims of a token, as they came. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * Why a token is refused; `undefined` where it is not. Returned, not thrown: V8 never compiles functions that always end
 * by throwing, and in a flood of bad tokens these would. See docs/decisions/013-refusals-are-returned.md.
 */
export type Refusal = RequestRefusedError | undefined

/** Types of access tokens (RFC 7519 §5.1, RFC 9068 §2.1), unless the option `typ` names others. */
const ACCESS_TOKEN_TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt'])

/** The last second of the year 9999, in seconds since the epoch: a later date is certainly a mistake. */
const LATEST_DATE = 253_402_300_799

/** The `iss` of a token; `''`, which is the issuer of no provider, where it has none. */
export function issuerOf({ iss }: Claims): string {
  return typeof iss === 'string' ? iss : ''
}

/**
 * Checks what can be checked of any token before its provider is known: `iss` and `exp` are present, and `exp` has not
 * passed even with the longest tolerance of all providers.
 *
 * @param now milliseconds since the epoch
 */
export function checkBasicClaims(claims: Claims, now: number, clockTolerance: number): Refusal {
  const { iss, exp } = claims
  if (iss === undefined || exp === undefined) return new ClaimMissingError()
  if (typeof iss !== 'string' || !isNumericDate(exp)) return new ClaimMalformedError()
  return exp * 1000 + clockTolerance <= now ? new TokenExpiredError() : undefined
}

/**
 * Checks a token by the rules of the provider that its `iss` names.
 *
 * @param now milliseconds since the epoch
 */
export function checkToken(
  { header, payload }: Pick<ParsedToken, 'header' | 'payload'>,
  { algorithms, rules }: { readonly algorithms: ReadonlySet<string>; readonly rules: ClaimRules },
  now: number,
): Refusal {
  if (!algorithms.has(header.alg)) return new AlgorithmNotAllowedError()
  return checkType(header.typ, rules) ?? checkClaims(payload, rules, now)
}

/** Checks the header's `typ`. */
export function checkType(typ: string | undefined, { types }: ClaimRules): Refusal {
  const isAllowed = typ === undefined ? types === undefined : (types ?? ACCESS_TOKEN_TYPES).has(canonicalType(typ))
  return isAllowed ? undefined : new TokenTypeNotAllowedError()
}

/**
 * Checks all claims by a provider's rules.
 *
 * @param now milliseconds since the epoch
 */
export function checkClaims(claims: Claims, rules: ClaimRules, now: number): Refusal {
  const refusal = checkTimes(claims, rules, now) ?? checkTypes(claims) ?? checkAudience(claims['aud'], rules.audiences)
  if (refusal !== undefined) return refusal
  for (const name of rules.requiredClaims) {
    if (!Object.hasOwn(claims, name)) return new ClaimMissingError()
  }
  for (const [name, value] of rules.boundClaims) {
    if (!Object.hasOwn(claims, name) || claims[name] !== value) return new ClaimNotBoundError()
  }
  if (rules.tenantIds !== undefined) {
    if (!Object.hasOwn(claims, 'tid')) return new ClaimMissingError()
    if (!isOfTenantId(claims, rules.tenantIds)) return new ClaimNotBoundError()
  }
  if (rules.clientIds !== undefined && !isFromClient(claims, rules.clientIds)) return new ClientNotAllowedError()
  return rules.cnf === 'verify' && Object.hasOwn(claims, 'cnf') ? new ConfirmationNotCheckedError() : undefined
}

/** `sub` and `jti` (RFC 7519 §4.1), `client_id` and `scope` (RFC 9068 §2.2, RFC 8693 §4.2; Duende sends a list). */
function checkTypes({ sub, jti, client_id: clientId, scope }: Claims): Refusal {
  const areStrings = isOptionalString(sub) && isOptionalString(jti) && isOptionalString(clientId)
  return areStrings && (isOptionalString(scope) || isStringList(scope)) ? undefined : new ClaimMalformedError()
}

/** Checks `exp`, `nbf` and `iat` (RFC 7519 §4.1). */
function checkTimes({ exp, nbf, iat }: Claims, { clockTolerance, maxTokenAge }: ClaimRules, now: number): Refusal {
  if (!isNumericDate(exp)) return new ClaimMalformedError()
  if (exp * 1000 + clockTolerance <= now) return new TokenExpiredError()
  if (nbf !== undefined) {
    if (!isNumericDate(nbf)) return new ClaimMalformedError()
    if (nbf * 1000 - clockTolerance > now) return new TokenNotYetValidError()
  }
  if (iat === undefined) return maxTokenAge === undefined ? undefined : new ClaimMissingError()
  if (!isNumericDate(iat)) return new ClaimMalformedError()
  const age = now - iat * 1000
  if (age < -clockTolerance) return new TokenIssuedInFutureError()
  return maxTokenAge !== undefined && age > maxTokenAge + clockTolerance ? new TokenTooOldError() : undefined
}

function checkAudience(aud: unknown, audiences: ReadonlySet<string> | undefined): Refusal {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  if (aud !== undefined && !named.every((item) => typeof item === 'string')) return new ClaimMalformedError()
  if (audiences === undefined) return undefined
  if (aud === undefined) return new ClaimMissingError()
  return named.some((item) => audiences.has(item as string)) ? undefined : new AudienceNotAllowedError()
}

/** `client_id` (RFC 9068 §2.2) counts where it is; `azp` (OpenID Connect Core 1.0 §2) where it is not. */
function isFromClient({ client_id: clientId, azp }: Claims, clientIds: ReadonlySet<string>): boolean {
  const client = clientId ?? azp
  return typeof client === 'string' && clientIds.has(client)
}

/** `tid` is one of these GUIDs, and the one in `iss`. */
function isOfTenantId({ iss, tid }: Claims, tenantIds: ReadonlySet<string>): boolean {
  if (typeof tid !== 'string' || typeof iss !== 'string') return false
  const id = tid.toLowerCase()
  return tenantIds.has(id) && iss.includes(id)
}

/** True for a NumericDate, in seconds (RFC 7519 §2), before the year 10000. JSON's `1e999` is infinite. */
function isNumericDate(date: unknown): date is number {
  return typeof date === 'number' && Math.abs(date) <= LATEST_DATE
}

function isOptionalString(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

function isStringList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** When a token is valid, tolerance included, in milliseconds since the epoch. */
export interface TokenTimes {
  /** The first moment, by `nbf` and `iat`. */
  readonly from: number
  /** The first moment at which it is expired, by `exp`. */
  readonly until: number
  /** The last moment by `iat` and `maxTokenAge`. */
  readonly last: number
  /** `exp` itself, without tolerance. */
  readonly expiresAt: number
}

/** The times of claims that {@link checkClaims} accepts. */
export function tokenTimes({ exp, nbf, iat }: Claims, { clockTolerance, maxTokenAge }: ClaimRules): TokenTimes {
  const issuedAt = milliseconds(iat)
  const expiresAt = milliseconds(exp)
  return {
    from: Math.max(milliseconds(nbf), issuedAt) - clockTolerance,
    until: expiresAt + clockTolerance,
    last: maxTokenAge === undefined ? Number.POSITIVE_INFINITY : issuedAt + maxTokenAge + clockTolerance,
    expiresAt,
  }
}

/** Checks the times of a token again: refuses exactly where {@link checkClaims} would. */
export function checkValidity({ from, until, last }: TokenTimes, now: number): Refusal {
  if (now >= until) return new TokenExpiredError()
  if (now > last) return new TokenTooOldError()
  return now < from ? new TokenNotYetValidError() : undefined
}

/** A NumericDate (RFC 7519 §2) in milliseconds; the beginning of time where there is none. */
function milliseconds(date: unknown): number {
  return typeof date === 'number' ? date * 1000 : Number.NEGATIVE_INFINITY
}

/** The option `scopes`: claim paths, or a function that returns the scopes of a token. */
export type ScopeSource = string | readonly string[] | ((claims: AccessTokenClaims) => readonly string[])

/** Returns the scopes of a token by its claims, the implied ones included. Throws what the application's function throws. */
export type ScopeReader = (claims: Claims) => readonly string[]

/** RFC 6749 §3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** True for what may be named in a challenge: printable ASCII without spaces, `"` and `\`. */
export function isScope(text: string): boolean {
  return SCOPE_TOKEN.test(text)
}

/**
 * A scope that may be named in a challenge.
 *
 * @throws TypeError for what is no scope (RFC 6749 §3.3), such as two of them with a space between
 */
export function scopeOption(name: string, value: unknown): string {
  const scope = stringOption(name, value)
  if (isScope(scope)) return scope
  throw new TypeError(`${name}: ${JSON.stringify(scope)} is not a scope; write each scope as an item of its own`)
}

/** Reads `scope`, or `scp` where there is no `scope`. */
export const standardScopes: ScopeReader = ({ scope, scp }) => scopesIn(scope ?? scp)

/** Checks the option `scopes`; returns the function that reads the scopes of tokens. */
export function checkScopeSource(name: string, value: unknown): ScopeReader {
  if (typeof value === 'function') return scopesByFunction(value as (claims: unknown) => unknown)
  if (typeof value !== 'string' && !Array.isArray(value)) {
    throw new TypeError(`${name} must be a claim path, a list of claim paths or a function`)
  }
  const paths = stringsOption(name, value)
  return (claims) => paths.flatMap((path) => scopesIn(claimAt(claims, path)))
}

/** Checks the option `impliedScopes`. */
export function checkImpliedScopes(name: string, value: unknown): ReadonlyMap<string, readonly string[]> {
  const scopes = Object.entries(objectOption(name, value))
  return new Map(
    scopes.map(([scope, others]) => [
      stringOption(`${name}: a scope`, scope),
      stringListOption(`${name}.${scope}`, others),
    ]),
  )
}

function scopesByFunction(read: (claims: unknown) => unknown): ScopeReader {
  return (claims) => {
    // A clone, since later requests see these claims; what nests too deeply to be cloned is not cached.
    const result = read(Number.isFinite(bytesOfJson(claims)) ? cloneJson(claims) : claims)
    if (Array.isArray(result) && result.every((item) => typeof item === 'string')) return result
    throw new TypeError('scopes must return an array of strings')
  }
}

/** RFC 8693 §4.2 has `scope` as one string; some providers send lists. */
function scopesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ').filter((item) => item !== '')
  const list: readonly unknown[] = Array.isArray(value) ? value : []
  return list.filter((item): item is string => typeof item === 'string' && item !== '')
}

/**
 * Returns the claim at a path such as `realm_access.roles`; `undefined` where there is none. Names may contain dots, as
 * those that are URLs do: at each level the longest own member wins. No member of a prototype is found.
 */
function claimAt(claims: unknown, path: string): unknown {
  let value = claims
  let rest = path
  while (isObject(value)) {
    if (Object.hasOwn(value, rest)) return value[rest]
    let end = rest.lastIndexOf('.')
    while (end > 0 && !isObject(ownMember(value, rest.slice(0, end)))) end = rest.lastIndexOf('.', end - 1)
    if (end <= 0) return undefined
    value = ownMember(value, rest.slice(0, end))
    rest = rest.slice(end + 1)
  }
  return undefined
}

function ownMember(value: Claims, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

/** Adds what scopes imply, transitively. A cycle ends where every scope in it has been seen. */
export function withImplied(
  scopes: readonly string[],
  implied: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const all = new Set(scopes)
  // A set visits what is added to it while it is iterated.
  for (const scope of all) for (const other of implied.get(scope) ?? []) all.add(other)
  return [...all]
}

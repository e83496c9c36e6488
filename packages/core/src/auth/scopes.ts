import { isObject, objectOption, stringListOption, stringOption, stringsOption } from '../base/options.ts'
import type { AccessTokenClaims } from './auth.ts'
import type { Claims } from './check-claims.ts'
import { bytesOfJson, cloneJson } from './json-clone.ts'

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

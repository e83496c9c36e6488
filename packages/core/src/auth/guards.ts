import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { ScopeMissingError } from '../base/errors/request-errors.ts'
import type { Auth } from './auth.ts'
import { scopeOption } from './scopes.ts'

/** Decides by a verified token whether a route may be used. Returns `undefined` where it may, or the reason. */
export type Guard = (auth: Auth<unknown>) => JwksAuthError | undefined

/**
 * Creates a guard that requires all of these scopes.
 *
 * @throws TypeError without a scope, or for a value that is not a scope (RFC 6749 §3.3)
 */
export function scopeGuard(scopes: readonly string[]): Guard {
  if (scopes.length === 0) throw new TypeError('requireScopes takes at least one scope')
  const required = Object.freeze(scopes.map((scope) => scopeOption('requireScopes: a scope', scope)))
  return (auth) => (required.every((scope) => auth.scopes.has(scope)) ? undefined : new ScopeMissingError(required))
}

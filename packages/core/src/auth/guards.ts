import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { ScopeMissingError } from '../base/errors/request-errors.ts'
import { stringOption } from '../base/options.ts'
import type { Auth } from './auth.ts'

/** Decides by a verified token whether a route may be used. Returns `undefined` where it may, or the reason. */
export type Guard = (auth: Auth<unknown>) => JwksAuthError | undefined

/** RFC 6749 §3.3. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Creates a guard that requires all of these scopes.
 *
 * @throws TypeError without a scope, or for a value that is not a scope (RFC 6749 §3.3)
 */
export function scopeGuard(scopes: readonly string[]): Guard {
  if (scopes.length === 0) throw new TypeError('requireScopes takes at least one scope')
  for (const scope of scopes) {
    if (!SCOPE_TOKEN.test(stringOption('requireScopes: a scope', scope))) {
      throw new TypeError(
        `requireScopes: ${JSON.stringify(scope)} is not a scope; pass each scope as an argument of its own`,
      )
    }
  }
  const required = Object.freeze([...scopes])
  return (auth) => (required.every((scope) => auth.scopes.has(scope)) ? undefined : new ScopeMissingError(required))
}

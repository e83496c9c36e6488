import { isNativeError } from 'node:util/types'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AuthRequest } from '../base/auth-request.ts'
import { ClaimsRejectedError } from '../base/errors/claim-errors.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { isThenable } from '../base/steps.ts'
import type { Auth } from './auth.ts'

/** A schema for claims. */
export type ClaimsSchema = StandardSchemaV1<unknown, unknown>

/** The option `validate`, for claims of any type. */
export type Validate = (auth: Auth<never>) => unknown

/** The option `isRevoked`, for claims of any type. */
export type IsRevoked = (auth: Auth<never>, request: AuthRequest) => unknown

/** The option `onRefused`. */
export type OnRefused = (error: JwksAuthError, request: AuthRequest) => unknown

/** Calls an observer. What it throws, or its promise rejects with, affects nothing. */
export function observe(call: () => unknown): void {
  try {
    const result = call()
    if (isThenable(result)) result.then(undefined, () => undefined)
  } catch {
    // A failing observer must not affect what it observes.
  }
}

/** The output of a schema, or the refusal if it has issues. */
export function schemaOutput(result: unknown): { readonly claims: unknown } | ClaimsRejectedError {
  if (typeof result !== 'object' || result === null) throw new TypeError('the schema in claims returned no result')
  if ('issues' in result && result.issues !== undefined) return new ClaimsRejectedError()
  return { claims: 'value' in result ? result.value : undefined }
}

/** Whether `validate` accepts the token; 0, `null` and the like are mistakes and mean neither. */
export function isAccepted(result: unknown): boolean {
  if (result === true || result === undefined) return true
  if (result === false) return false
  throw new TypeError('validate must return true, false or nothing')
}

/** Whether `isRevoked` revokes the token; a forgotten `return` must not accept every token. */
export function isRevokedBy(result: unknown): boolean {
  if (typeof result === 'boolean') return result
  throw new TypeError('isRevoked must return true or false')
}

/**
 * Throws what a callback of the application threw, as an error. Frameworks take `undefined` and `null` for no error, and
 * Express takes `'route'` and `'router'` for a request to continue: these must not let a request pass.
 */
export function throwCallbackError(thrown: unknown): never {
  if (thrown instanceof Error || isNativeError(thrown)) throw thrown
  throw new Error('A callback given to jwksAuth threw something that is not an Error', { cause: thrown })
}

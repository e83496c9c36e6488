import { isNativeError } from 'node:util/types'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { AuthRequest } from '../base/auth-request.ts'
import { type Clock, type Instant, instant } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { ClaimsRejectedError } from '../base/errors/request-errors.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { isThenable, type Steps } from '../base/steps.ts'
import type { Asks } from '../jwks-cache/provider-cache.ts'
import type { Auth } from './auth.ts'
import type { Stage } from './refusal.ts'
import type { FoundToken } from './token-sources.ts'

/** A token that comes without a request. Neither is checked: both may be what a client has sent. */
export interface GivenToken {
  readonly token: unknown
  /** `undefined` where the token's issuer decides. */
  readonly tenant: unknown
}

/** The request that callbacks see where there is none. */
export const NO_REQUEST: AuthRequest = Object.freeze({ method: '', url: '', headers: Object.freeze({}) })

/** One request in the course of its authentication. */
export interface RequestContext {
  readonly request: AuthRequest
  /** Absent where the token is in the request. */
  readonly given: GivenToken | undefined
  readonly clock: Clock
  /** The current time: when the request began, or the end of the last wait. */
  now: Instant
  /** True where something was waited for since keys were found: the key may be withdrawn or revoked. */
  hasWaitedSinceKey: boolean
  stage: Stage
  /** The token, once it is extracted. */
  found: FoundToken | undefined
  /** True within the span of this request. */
  isTraced: boolean
  /** Whether keys were asked for before: a request counts once in the metrics. */
  asks: Asks
  /** What is known of the token's origin; for the event `refused`. */
  origin: Partial<ProviderKey> | undefined
}

/** Waits for a value if it is a promise, and notes that time has passed. */
export function* wait<Value>(context: RequestContext, value: Value | PromiseLike<Value>): Steps<Value> {
  if (!isThenable(value)) return value
  // What `runSteps` hands back is what the promise resolved with.
  const result = (yield value) as Value
  context.now = instant(context.clock)
  context.hasWaitedSinceKey = true
  return result
}

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

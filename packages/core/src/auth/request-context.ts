import type { AuthRequest } from '../base/auth-request.ts'
import { type Clock, type Instant, instant } from '../base/clock.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { isThenable, type Steps } from '../base/steps.ts'
import type { Asks } from '../jwks-cache/provider-cache.ts'
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

import { type Clock, type Instant, instant } from '../base/clock.ts'
import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { UpstreamUnreachableError } from '../base/errors/upstream-errors.ts'
import type { EventBus } from '../base/events.ts'
import { type Instrumentation, type Operation, traced } from '../base/events.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { FetchReason, RegistryEvents } from './cache-events.ts'
import type { RetryPolicy } from './cache-options.ts'
import type { FetchLimit } from './fetch-limit.ts'
import {
  conditionalHeaders,
  type FetchedKeySet,
  isOutdated,
  type JwksResponse,
  type JwksSource,
  type KnownKeySet,
  NOTHING_REFUSED,
  type RefusedContent,
  readResponse,
  UNCONDITIONAL_HEADERS,
  UnusableKeySet,
} from './key-set-response.ts'
import type { Random } from './retry.ts'
import { withRetries } from './retry.ts'
import { createRefetchBudget, type RefetchBudget, type RefusedKids } from './unknown-kid.ts'

/** What the key sets of one registry share. */
export interface UpstreamContext {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventBus<RegistryEvents>
  readonly instrumentation: Instrumentation
  readonly limit: FetchLimit
  readonly refusedKids: RefusedKids
  /** Aborts when the registry closes. */
  readonly closed: AbortSignal
  /** Runs background work in the async context in which the registry was created. */
  readonly runDetached: <Value>(work: () => Value) => Value
}

/** How a fetch has ended. */
export type FetchResult = {
  /** Counts the results of this key set. */
  readonly sequence: number
  readonly reason: FetchReason
  readonly endedAt: Instant
} & (
  | ({
      readonly ok: true
      /** Counts the requests of this key set: which one this is the response to. */
      readonly requestNumber: number
    } & FetchedKeySet)
  | ({ readonly ok: false; readonly error: JwksAuthError } & RefusedContent)
)

/** A fetch for one cache. */
export interface FetchRequest {
  /** Whose slot it takes, and who is named in the event. */
  readonly provider: ProviderKey
  readonly reason: FetchReason
  /** What the cache has: its validators are sent, and a 304 is about it. */
  readonly known: KnownKeySet | undefined
  /** True when the cache's last attempt failed: perhaps the key set has moved. */
  readonly relocate: boolean
  /** Milliseconds for all attempts together. */
  readonly deadline: number
  /** Says whether a result that another cache of this key set has brought serves as well as a new request. */
  accepts(result: FetchResult): boolean
}

/**
 * One key set upstream. Registrations that fetch it in the same way share it: one request at a time, one refetch for
 * unknown `kid`s in each cooldown, and the last result, be it a key set or a failure.
 */
export class Upstream {
  readonly budget: RefetchBudget
  readonly #source: JwksSource
  readonly #options: { readonly retryPolicy: RetryPolicy; readonly maxKeys: number }
  readonly #context: UpstreamContext
  readonly #users = new Set<object>()
  #requests = 0
  #lastUnconditional = 0
  #results = 0
  #flight: { readonly reason: FetchReason; isSent: boolean; readonly done: Promise<FetchResult> } | undefined
  #announced: Promise<unknown> | undefined
  #lastSuccess: FetchResult | undefined
  #lastFailure: FetchResult | undefined

  constructor(
    name: string,
    source: JwksSource,
    options: { readonly retryPolicy: RetryPolicy; readonly maxKeys: number },
    context: UpstreamContext,
  ) {
    this.#source = source
    this.#options = options
    this.#context = context
    this.budget = createRefetchBudget(name, context.refusedKids)
  }

  /** The number of the last request that was sent. A result with a higher one was asked for later. */
  get requestNumber(): number {
    return this.#requests
  }

  /** The number of the last request that caches on the way had to pass on: its response is as new as it gets. */
  get lastUnconditional(): number {
    return this.#lastUnconditional
  }

  /** The refetch for an unknown `kid` that is in flight or announced, for whichever cache. It never rejects. */
  get refetching(): Promise<unknown> | undefined {
    return this.#flight?.reason === 'unknown-kid' ? this.#flight.done : this.#announced
  }

  /** A cache has spent the budget on a refetch, which starts once its store permits. It must not reject. */
  announceRefetch(done: Promise<unknown>): void {
    this.#announced = done
    const clear = (): void => {
      if (this.#announced === done) this.#announced = undefined
    }
    done.then(clear, clear)
  }

  /** The last key set that was fetched, where its sequence number is higher. */
  newsSince(sequence: number): FetchResult | undefined {
    const last = this.#lastSuccess
    return last !== undefined && last.sequence > sequence ? last : undefined
  }

  /** A cache has keys of this set in memory. */
  use(cache: object): void {
    this.#users.add(cache)
  }

  /** A cache has dropped them. With the last one goes the last result. */
  release(cache: object): void {
    this.#users.delete(cache)
    if (this.#users.size === 0) this.#lastSuccess = undefined
  }

  /** Fetches the key set, or takes what another cache of it has fetched. Never rejects. Call it detached from any request. */
  async fetch(request: FetchRequest): Promise<FetchResult> {
    for (;;) {
      for (const result of [this.#lastSuccess, this.#lastFailure]) {
        if (result !== undefined && request.accepts(result)) return result
      }
      const flight = this.#flight
      if (flight === undefined) return await this.#start(request)
      const isShared =
        request.reason === 'first' ||
        request.reason === 'due' ||
        (request.reason === flight.reason && (request.reason === 'unknown-kid' || !flight.isSent))
      this.#context.instrumentation.tracer?.waitsFor(flight.done)
      const result = await flight.done
      if (isShared) return result
    }
  }

  /** Runs in the async context of the refresh that asks for it, which is detached from every request. */
  #start(request: FetchRequest): Promise<FetchResult> {
    const { provider, reason } = request
    const operation: Operation<FetchResult> = {
      name: 'fetch',
      ...provider,
      reason,
      outcomeOf: (result) => (result.ok ? {} : { code: result.error.code, isFault: true }),
    }
    const done = traced(this.#context.instrumentation, operation, () => this.#fetchNow(request))
    this.#flight = { reason: request.reason, isSent: false, done }
    return done
  }

  async #fetchNow(request: FetchRequest): Promise<FetchResult> {
    const { reason } = request
    try {
      // Past the caller's tick, so that `#flight` is set before anything can end.
      await Promise.resolve()
      const { requestNumber, ...response } = await this.#request(request)
      return this.#succeeded({ ok: true, reason, requestNumber, ...response }, request.known)
    } catch (error) {
      const { cause, content } = error instanceof UnusableKeySet ? error : { cause: error, content: NOTHING_REFUSED }
      return this.#failed({ ok: false, reason, error: ownError(cause), ...content })
    } finally {
      this.#flight = undefined
    }
  }

  async #request(request: FetchRequest): Promise<FetchedKeySet & { readonly requestNumber: number }> {
    const { retryPolicy, maxKeys } = this.#options
    const { clock, limit } = this.#context
    const { provider, reason, known } = request
    const isUnconditional = reason === 'unknown-kid' || reason === 'requested'
    const policy = {
      ...retryPolicy,
      deadline: Math.min(request.deadline, retryPolicy.deadline),
      // A refetch is one attempt: a client is waiting, and the next refetch is only a cooldown away.
      maxRetries: reason === 'unknown-kid' ? 0 : retryPolicy.maxRetries,
    }
    let { relocate } = request
    return await withRetries(
      ({ signal, begin }) =>
        limit.run(provider.tenant, signal, async (onSent) => {
          begin()
          const ask = async (isConditional: boolean): Promise<JwksResponse> => {
            this.#requests += 1
            if (!isConditional) this.#lastUnconditional = this.#requests
            if (this.#flight !== undefined) this.#flight.isSent = true
            const { events } = this.#context
            if (events.hasListeners('fetch')) events.emit('fetch', { ...provider, reason })
            const headersFor = (url: string): Readonly<Record<string, string>> =>
              isConditional ? conditionalHeaders(url, known) : UNCONDITIONAL_HEADERS
            const response = this.#source({
              headersFor,
              signal,
              timeout: policy.attemptTimeout,
              relocate,
              onSent,
            })
            relocate = true
            return await response
          }
          let response = await ask(!isUnconditional)
          // After a rotation, a cache on the way may have an older set than a refetch has brought: bypass it.
          if (!isUnconditional && isOutdated(response, known)) response = await ask(false)
          const requestNumber = this.#requests
          return { ...(await readResponse(response, known, clock.now(), maxKeys)), requestNumber }
        }),
      policy,
      this.#context,
    )
  }

  #succeeded(
    response: { readonly ok: true; readonly reason: FetchReason; readonly requestNumber: number } & FetchedKeySet,
    known: KnownKeySet | undefined,
  ): FetchResult {
    const result = this.#numbered(response)
    this.#lastSuccess = result
    this.#lastFailure = undefined
    if (response.reason === 'unknown-kid') {
      this.budget.brought(response.keySet.keys.filter((key) => known?.keySet.members.has(key) !== true))
    }
    return result
  }

  #failed(
    failure: { readonly ok: false; readonly reason: FetchReason; readonly error: JwksAuthError } & RefusedContent,
  ): FetchResult {
    const result = this.#numbered(failure)
    this.#lastFailure = result
    return result
  }

  #numbered<Result extends object>(result: Result) {
    this.#results += 1
    return { ...result, sequence: this.#results, endedAt: instant(this.#context.clock) }
  }
}

function ownError(error: unknown): JwksAuthError {
  return error instanceof JwksAuthError ? error : new UpstreamUnreachableError({ cause: error })
}

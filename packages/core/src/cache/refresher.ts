import { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { RegistryClosedError } from '../base/errors/registry-errors.ts'
import { UpstreamUnreachableError } from '../base/errors/upstream-errors.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { NO_REFUSED_KEYS } from '../jwks/key-set.ts'
import type { FetchReason } from './cache-events.ts'
import type { CacheOptions } from './cache-options.ts'
import type { JwksAnswer, JwksSource } from './jwks-source.ts'
import {
  type FetchedKeySet,
  type HeldKeySet,
  isOutdated,
  readAnswer,
  requestHeaders,
  UnusableKeySet,
} from './key-set-fetch.ts'
import type { RefreshContext } from './refresh-context.ts'
import { withRetries } from './retry.ts'
import type { FleetTurns, Turn } from './turn.ts'

/** How a refresh ended, told to the cache that it is for. */
export interface RefreshReport {
  readonly reason: FetchReason
  /** Milliseconds, retries included. */
  readonly duration: number
}

/** The cache that a refresher works for. */
export interface RefreshTarget<Outcome> {
  /** What is held when a fetch begins: its validators are sent, and a 304 is about it. */
  held(): HeldKeySet | undefined
  /** True when the last refresh failed. */
  hasFailed(): boolean
  /** Takes a checked answer over. */
  accept(fetched: FetchedKeySet, report: RefreshReport): Outcome | Promise<Outcome>
  /** Ends without an answer: what others of the fleet have brought is what there is. */
  leave(): Outcome
  /** Takes note of a failure. */
  fail(error: JwksAuthError, unused: Pick<FetchedKeySet, 'refused' | 'compromised'>, report: RefreshReport): Outcome
}

/** Fetches one provider's key set, one fetch at a time. */
export interface Refresher<Outcome> {
  /** The fetch under way, if there is one. It never rejects. */
  current(): Promise<Outcome> | undefined
  /** What the fetch under way is for. */
  currentReason(): FetchReason | undefined
  /**
   * Begins a fetch; to be called only when none is under way.
   *
   * @param isSatisfied says whether what others of the fleet have brought is enough
   * @param deadline milliseconds that it may take at most, where that is less than `retryPolicy.deadline`
   */
  start(reason: FetchReason, isSatisfied: () => boolean, deadline?: number): Promise<Outcome>
}

/** A refresher for one provider. */
export function createRefresher<Outcome>(
  key: ProviderKey,
  options: Pick<CacheOptions, 'retryPolicy' | 'maxKeys'>,
  source: JwksSource,
  target: RefreshTarget<Outcome>,
  turns: Pick<FleetTurns, 'take'> | undefined,
  context: RefreshContext,
): Refresher<Outcome> {
  const { clock, events, limit } = context
  let flight: { readonly reason: FetchReason; readonly done: Promise<Outcome> } | undefined

  async function fetchKeySet(reason: FetchReason, deadline: number): Promise<FetchedKeySet> {
    const { retryPolicy } = options
    const isLook = reason === 'unknown-kid'
    const noCache = isLook || reason === 'requested'
    const policy = {
      ...retryPolicy,
      deadline: Math.min(deadline, retryPolicy.deadline),
      // A look is one attempt: a client is waiting, and the next look is only a cooldown away.
      maxRetries: isLook ? 0 : retryPolicy.maxRetries,
    }
    let relocate = target.hasFailed()
    return await withRetries(
      ({ signal, begin }) =>
        limit.run(key.tenant, signal, async () => {
          begin()
          const held = target.held()
          const ask = async (directives: { readonly noCache: boolean }): Promise<JwksAnswer> => {
            events.emit('fetch', { ...key, reason })
            const headersFor = (url: string): Record<string, string> => requestHeaders(url, held, directives)
            const request = { headersFor, signal, timeout: policy.attemptTimeout, relocate }
            relocate = true
            return await source(request)
          }
          let answer = await ask({ noCache })
          // After a rotation, a cache on the way may have an older set than a look has brought: ask past it.
          if (!noCache && isOutdated(answer, held)) answer = await ask({ noCache: true })
          return readAnswer(answer, held, clock.now(), options.maxKeys)
        }),
      policy,
      context,
    )
  }

  async function fly(reason: FetchReason, isSatisfied: () => boolean, patience: number): Promise<Outcome> {
    const startedAt = clock.now()
    const deadline = startedAt + Math.min(patience, options.retryPolicy.deadline)
    const report = (): RefreshReport => ({ reason, duration: clock.now() - startedAt })
    let turn: Turn | undefined
    try {
      if (turns !== undefined) {
        turn = await turns.take({ reason, deadline, isSatisfied })
        if (turn === undefined) return target.leave()
      }
      const fetched = await fetchKeySet(reason, deadline - clock.now())
      if (turn !== undefined && (await turn.wasOvertaken())) return target.leave()
      return await target.accept(fetched, report())
    } catch (error) {
      if (error instanceof UnusableKeySet) return target.fail(error.cause, error, report())
      return target.fail(ownError(error), { refused: NO_REFUSED_KEYS, compromised: new Set() }, report())
    } finally {
      flight = undefined
      turn?.end()
    }
  }

  return {
    current: () => flight?.done,
    currentReason: () => flight?.reason,
    start(reason, isSatisfied, deadline = Number.POSITIVE_INFINITY) {
      if (context.closed.aborted) throw new RegistryClosedError()
      // `fly` must not end before `flight` is set: it first awaits.
      const done = fly(reason, isSatisfied, deadline)
      flight = { reason, done }
      return done
    },
  }
}

function ownError(error: unknown): JwksAuthError {
  return error instanceof JwksAuthError ? error : new UpstreamUnreachableError({ cause: error })
}

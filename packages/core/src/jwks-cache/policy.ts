import { elapsed, type Instant } from '../base/clock.ts'
import type { Lifetimes } from './lifetimes.ts'

/** The failed refreshes since the last one that succeeded. */
export interface RefreshFailure {
  /** How many there were. */
  readonly count: number
  /** When the last one failed. */
  readonly at: Instant
  /** Milliseconds after that before which no refresh is started. */
  readonly pause: number
  /** True for a 5xx or a broken network: what `stale-if-error` is for. */
  readonly isOutage: boolean
}

/** What the decision depends on, beside the time. */
export interface PolicyState {
  /** When the cached key set was fetched, and how long it may be used; absent where no keys are cached. */
  readonly cached: { readonly fetchedAt: Instant; readonly lifetimes: Lifetimes } | undefined
  /** Absent once a refresh has succeeded. */
  readonly failure: RefreshFailure | undefined
}

/** What to do with a request for the key set. */
export type Decision =
  | 'serve'
  | 'serve-and-refresh'
  | 'serve-stale'
  | 'serve-stale-and-refresh'
  /** Start a refresh, or join the one in flight, and decide again. */
  | 'wait'
  /** No usable keys, and the backoff forbids a refresh. */
  | 'refuse'

/** The behaviour of the cache as a pure function of its state and the time. */
export function decide({ cached, failure }: PolicyState, now: Instant): Decision {
  const mayRefresh = failure === undefined || backoffLeft(failure, now) <= 0
  if (cached === undefined) return mayRefresh ? 'wait' : 'refuse'
  const age = elapsed(cached.fetchedAt, now)
  if (age < cached.lifetimes.refreshAfter) return 'serve'
  if (age < cached.lifetimes.freshFor) return mayRefresh ? 'serve-and-refresh' : 'serve'
  if (age >= usableFor(cached.lifetimes, failure)) return mayRefresh ? 'wait' : 'refuse'
  if (failure === undefined) return 'wait'
  return mayRefresh ? 'serve-stale-and-refresh' : 'serve-stale'
}

/** Decides after a refresh that the caller has waited for has failed: never wait again. */
export function decideAfterFailure({ cached, failure }: PolicyState, now: Instant): 'serve' | 'serve-stale' | 'refuse' {
  if (cached === undefined) return 'refuse'
  const age = elapsed(cached.fetchedAt, now)
  if (age >= usableFor(cached.lifetimes, failure)) return 'refuse'
  return age < cached.lifetimes.freshFor ? 'serve' : 'serve-stale'
}

/** Milliseconds after the fetch until which the keys may serve, given how the last refresh failed. */
export function usableFor(
  lifetimes: Pick<Lifetimes, 'staleFor' | 'staleIfErrorFor'>,
  failure: RefreshFailure | undefined,
): number {
  return failure?.isOutage === true ? lifetimes.staleIfErrorFor : lifetimes.staleFor
}

/** Milliseconds until a refresh may be started again; 0 or less where it may be now. */
export function backoffLeft(failure: RefreshFailure | undefined, now: Instant): number {
  return failure === undefined ? 0 : failure.pause - elapsed(failure.at, now)
}

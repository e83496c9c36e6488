import type { EntryTimes } from './entry.ts'

/** The failed refreshes since the last one that succeeded. */
export interface RefreshFailure {
  /** How many there were. */
  readonly count: number
  /** Before this time, in milliseconds since the epoch, no refresh is started. */
  readonly retryAt: number
  /** True for a 5xx or a broken network: what `stale-if-error` is for. */
  readonly isOutage: boolean
}

/** What the decision depends on, beside the time. */
export interface CacheState {
  /** The times of the key set that is held, if one is. */
  readonly entry: Omit<EntryTimes, 'fetchedAt'> | undefined
  /** Absent once a refresh has succeeded. */
  readonly failure: RefreshFailure | undefined
}

/** What to do with a question for the key set. */
export type Decision =
  | 'serve'
  | 'serve-and-refresh'
  | 'serve-stale'
  | 'serve-stale-and-refresh'
  /** Start a refresh, or join the one under way, and decide again. */
  | 'wait'
  /** No usable keys, and asking for them now is not allowed. */
  | 'refuse'

/**
 * The behaviour of the cache as a function of its state and the time. It starts nothing and knows no clock, so
 * that every row can be tested by itself.
 */
export function decide({ entry, failure }: CacheState, now: number): Decision {
  const mayRefresh = failure === undefined || now >= failure.retryAt
  if (entry === undefined) return mayRefresh ? 'wait' : 'refuse'
  if (now < entry.refreshAt) return 'serve'
  if (now < entry.freshUntil) return mayRefresh ? 'serve-and-refresh' : 'serve'
  if (now >= usableUntil(entry, failure)) return mayRefresh ? 'wait' : 'refuse'
  if (failure === undefined) return 'wait'
  return mayRefresh ? 'serve-stale-and-refresh' : 'serve-stale'
}

/**
 * What remains to be done once a refresh that was waited for has failed: serve what may still be served, and
 * never wait again.
 */
export function decideAfterFailure(state: CacheState, now: number): 'serve' | 'serve-stale' | 'refuse' {
  const { entry, failure } = state
  if (entry === undefined || now >= usableUntil(entry, failure)) return 'refuse'
  return now < entry.freshUntil ? 'serve' : 'serve-stale'
}

/** Until when the keys may serve, given how the last refresh failed. */
export function usableUntil(
  entry: Pick<EntryTimes, 'staleUntil' | 'staleIfErrorUntil'>,
  failure: RefreshFailure | undefined,
): number {
  return failure?.isOutage === true ? entry.staleIfErrorUntil : entry.staleUntil
}

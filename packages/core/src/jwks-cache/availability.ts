import { type Clock, elapsed, instant, schedule } from '../base/clock.ts'
import { type PolicyState, usableFor } from './policy.ts'

/** Notices when a provider can no longer, or again, serve requests. */
export interface Availability {
  /** True from `unavailable` to `recovered`. */
  readonly isUnavailable: boolean
  /** The state has changed, or a request shows that time has: reports a change, if there is one. */
  check(): void
  /** Cancels the timer. */
  stop(): void
}

/** Milliseconds below which a timer is not worth setting: clocks differ by fractions of one. */
const SHORTEST_DELAY = 1

/**
 * Creates the watch of one cache. While refreshes fail and cached keys serve, one timer ends with the stale window, so that
 * keys that run out without a request are noticed, too. A provider that is idle or healthy has no timer: its next request
 * fetches, and can be served.
 */
export function createAvailability(
  { state, report }: { state(): PolicyState; report(change: 'unavailable' | 'recovered'): void },
  clock: Clock,
): Availability {
  let isUnavailable = false
  let cancel: (() => void) | undefined

  function stop(): void {
    cancel?.()
    cancel = undefined
  }

  /** Milliseconds that the cached keys may serve; negative where they may not. */
  function timeLeft(): number {
    const { cached, failure } = state()
    if (cached === undefined) return Number.NEGATIVE_INFINITY
    return usableFor(cached.lifetimes, failure) - elapsed(cached.fetchedAt, instant(clock))
  }

  function check(): void {
    stop()
    const left = timeLeft()
    const { failure } = state()
    // Without keys and without a failure nothing is known: the next request fetches.
    const isUnavailableNow = left > 0 ? false : failure === undefined ? isUnavailable : true
    if (failure !== undefined && left > 0 && left !== Number.POSITIVE_INFINITY) {
      cancel = schedule(clock, Math.max(SHORTEST_DELAY, left), check)
    }
    if (isUnavailableNow === isUnavailable) return
    isUnavailable = isUnavailableNow
    report(isUnavailable ? 'unavailable' : 'recovered')
  }

  return {
    get isUnavailable() {
      return isUnavailable
    },
    check,
    stop,
  }
}

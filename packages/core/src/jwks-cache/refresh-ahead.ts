import { type Clock, schedule } from '../base/clock.ts'
import type { CacheOptions } from './cache-options.ts'

/** Refreshes a provider's keys ahead of their expiry, with one timer at most and none for an idle provider. */
export interface RefreshAhead {
  /** The keys were used. */
  used(): void
  /** A fetch has ended, successfully or not. */
  fetched(): void
  /** Cancels the timer. */
  stop(): void
}

/** Milliseconds between two first fetches, where a backoff of 0 would make them a loop. */
const SHORTEST_PAUSE = 1_000

/** Milliseconds below which a timer is not worth setting again: clocks differ by fractions of one. */
const SHORTEST_DELAY = 1

/** What the schedule depends on. */
export interface RefreshSchedule {
  /** Milliseconds until the next refresh may start; `undefined` where none is due, ever. */
  untilRefresh(): number | undefined
  hasKeys(): boolean
  refresh(): void
}

/** With `'active'` the first use after a fetch sets the timer, with `'always'` the fetch itself. */
export function createRefreshAhead(
  mode: CacheOptions['prefetch'],
  { untilRefresh, hasKeys, refresh }: RefreshSchedule,
  clock: Clock,
): RefreshAhead {
  let cancel: (() => void) | undefined

  function stop(): void {
    cancel?.()
    cancel = undefined
  }

  function arm(): void {
    if (cancel !== undefined) return
    const wait = untilRefresh()
    if (wait === undefined || wait === Number.POSITIVE_INFINITY) return
    const delay = Math.max(hasKeys() ? 0 : SHORTEST_PAUSE, wait)
    // Once it is due, the requests themselves start it.
    if (delay <= 0 && mode !== 'always') return
    cancel = schedule(clock, delay, () => {
      cancel = undefined
      // The timer was set while the wall clock was ahead; it has been put right since.
      if ((untilRefresh() ?? 0) >= SHORTEST_DELAY) arm()
      else refresh()
    })
  }

  return {
    used() {
      if (mode === 'active') arm()
    },
    fetched() {
      stop()
      if (mode === 'always') arm()
    },
    stop,
  }
}

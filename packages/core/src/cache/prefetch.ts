import { schedule } from '../base/clock.ts'
import type { CacheOptions } from './cache-options.ts'
import type { Holdings } from './holdings.ts'
import type { RefreshContext } from './refresh-context.ts'

/** Refreshes a provider's keys ahead of their expiry, with one timer at most and none for an idle provider. */
export interface Prefetch {
  /** The keys were used. */
  used(): void
  /** A fetch has ended, well or not. */
  fetched(): void
  /** Forgets the timer. */
  stop(): void
}

/** Milliseconds between two first fetches, where a backoff of 0 would make them a loop. */
const SHORTEST_PAUSE = 1_000

/** With `'active'` the first use after a fetch sets the timer, with `'always'` the fetch itself. */
export function createPrefetch(
  mode: CacheOptions['prefetch'],
  holdings: Pick<Holdings, 'entry' | 'nextRefresh'>,
  refresh: () => void,
  { clock, closed }: Pick<RefreshContext, 'clock' | 'closed'>,
): Prefetch {
  let cancel: (() => void) | undefined

  function stop(): void {
    cancel?.()
    cancel = undefined
  }

  function arm(): void {
    if (cancel !== undefined || closed.aborted) return
    const dueAt = holdings.nextRefresh()
    if (dueAt === undefined || dueAt === Number.POSITIVE_INFINITY) return
    const shortest = holdings.entry() === undefined ? SHORTEST_PAUSE : 0
    const delay = Math.max(shortest, dueAt - clock.now())
    // Once it is due, the requests themselves start it.
    if (delay <= 0 && mode !== 'always') return
    cancel = schedule(clock, delay, () => {
      cancel = undefined
      refresh()
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

import { setImmediate as macrotask } from 'node:timers/promises'
import { optional } from '@jwks-auth/core/adapter'
import { checkOptions, valid } from './option-checks.ts'

/** How to make a manual clock. */
export interface ManualClockOptions {
  /** What it shows at first, in epoch milliseconds. Default: 2025-01-01T00:00:00Z, the same in every run. */
  readonly now?: number
}

/** A clock that stands still until the test moves it. */
export interface ManualClock {
  /** What the wall clock shows, in epoch milliseconds. */
  now(): number
  /** Milliseconds since the clock was made. Only {@link ManualClock.advance} moves it. */
  monotonic(): number
  /** Calls back once, `delay` milliseconds from now by this clock. Less than 0 counts as 0. */
  setTimeout(callback: () => void, delay: number): unknown
  /** Cancels a timer. A handle that has fired, or is unknown, is ignored. */
  clearTimeout(handle: unknown): void
  /**
   * Moves on by that many milliseconds. Timers that fall due fire in order of time, each while
   * the clock shows its own time, and promise jobs run before and after each. Calls take turns.
   * Rejects with what a callback throws, and when 10 000 timers in a row fire at one instant.
   */
  advance(milliseconds: number): Promise<void>
  /**
   * Steps the wall clock alone, as an operator, NTP or the end of a suspension does. Timers neither
   * fire nor move, since a real timer counts by the monotonic clock.
   */
  set(epochMilliseconds: number): void
  /** How many timers wait. */
  readonly pendingTimers: number
}

interface Timer {
  readonly due: number
  readonly callback: () => void
}

const mostTimersAtOneInstant = 10_000
const finite = valid<number>(Number.isFinite, 'a finite number')
const table = { now: optional(finite, Date.UTC(2025, 0, 1)) }

/**
 * Makes a clock for code that takes its time from an injected one.
 *
 * @throws TypeError for an unknown option, or a time that is not finite.
 */
export function createManualClock(options: ManualClockOptions = {}): ManualClock {
  const { now } = checkOptions('createManualClock', options, table)
  const timers = new Map<object, Timer>()
  let elapsed = 0
  let shownAtStart = now
  let lastTurn: Promise<void> = Promise.resolve()

  const run = async (target: number): Promise<void> => {
    await macrotask()
    let instant = elapsed
    let firedAtInstant = 0
    for (let next = earliest(timers, target); next !== undefined; next = earliest(timers, target)) {
      const [handle, timer] = next
      timers.delete(handle)
      elapsed = Math.max(elapsed, timer.due)
      firedAtInstant = elapsed === instant ? firedAtInstant + 1 : 1
      instant = elapsed
      if (firedAtInstant > mostTimersAtOneInstant) {
        throw new Error(
          `${mostTimersAtOneInstant} timers fired without time passing: something reschedules itself for now`,
        )
      }
      timer.callback()
      await macrotask()
    }
    elapsed = target
  }

  return {
    now: () => shownAtStart + elapsed,
    monotonic: () => elapsed,
    setTimeout(callback, delay) {
      requireFinite('setTimeout', delay)
      const handle = Object.freeze({})
      timers.set(handle, { due: elapsed + Math.max(0, delay), callback })
      return handle
    },
    clearTimeout(handle) {
      if (typeof handle === 'object' && handle !== null) timers.delete(handle)
    },
    advance(milliseconds) {
      requireFinite('advance', milliseconds)
      if (milliseconds < 0) throw new TypeError('advance: time moves forward; use set to turn the clock back')
      const turn = lastTurn.then(() => run(elapsed + milliseconds))
      lastTurn = turn.catch(() => undefined)
      return turn
    },
    set(epochMilliseconds) {
      requireFinite('set', epochMilliseconds)
      shownAtStart = epochMilliseconds - elapsed
    },
    get pendingTimers() {
      return timers.size
    },
  }
}

function requireFinite(method: string, value: unknown): void {
  finite(`${method}: the time`, value)
}

/** The next timer at or before a time; of two for the same time, the one that was set first. */
function earliest(timers: ReadonlyMap<object, Timer>, target: number): readonly [object, Timer] | undefined {
  let found: readonly [object, Timer] | undefined
  for (const entry of timers) {
    const { due } = entry[1]
    if (due <= target && (found === undefined || due < found[1].due)) found = entry
  }
  return found
}

import type { Clock } from '@jwks-auth/core'

/** Time that passes only from one timer to the next, with a wall clock that can be wrong. */
export interface VirtualTime {
  readonly clock: Clock
  /** The right time in milliseconds since the epoch, as every other machine has it. */
  trueNow(): number
  /** Steps the wall clock alone, by milliseconds in either direction, as an operator or NTP does. */
  step(milliseconds: number): void
  /** Milliseconds by which the wall clock is ahead of the right time; negative where it is behind. */
  wrongBy(): number
  /** Suspends the machine: the wall clock moves on, the monotonic clock and the timers stand still. */
  suspend(milliseconds: number): void
  /**
   * Fires timers in order until the monotonic clock shows `end`, letting all promise jobs run after each.
   *
   * @param isBusy true while work outside of virtual time has to end first
   */
  runUntil(end: number, isBusy: () => boolean): Promise<void>
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
  isCancelled: boolean
}

/** Starts a machine at `start`, in milliseconds since the epoch; its monotonic clock starts at 0. */
export function createVirtualTime(start: number): VirtualTime {
  /** The monotonic clock, by which timers fire. */
  let now = 0
  let suspended = 0
  let wrong = 0
  let order = 0
  const heap: Timer[] = []

  function isBefore(one: Timer | undefined, other: Timer | undefined): boolean {
    if (one === undefined || other === undefined) return one !== undefined
    return one.at < other.at || (one.at === other.at && one.order < other.order)
  }

  function swap(one: number, other: number): void {
    const [a, b] = [heap[one], heap[other]]
    if (a === undefined || b === undefined) return
    heap[one] = b
    heap[other] = a
  }

  function push(timer: Timer): void {
    heap.push(timer)
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!isBefore(heap[at], heap[parent])) return
      swap(at, parent)
      at = parent
    }
  }

  function pop(): Timer | undefined {
    swap(0, heap.length - 1)
    const top = heap.pop()
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      const smaller = isBefore(heap[left + 1], heap[left]) ? left + 1 : left
      if (smaller >= heap.length || !isBefore(heap[smaller], heap[at])) return top
      swap(at, smaller)
      at = smaller
    }
  }

  const trueNow = (): number => start + now + suspended

  return {
    trueNow,
    step(milliseconds) {
      wrong += milliseconds
    },
    wrongBy: () => wrong,
    suspend(milliseconds) {
      suspended += milliseconds
    },
    clock: {
      now: () => trueNow() + wrong,
      monotonic: () => now,
      setTimeout(callback, delay) {
        order += 1
        const timer: Timer = { at: now + Math.max(0, delay), order, callback, isCancelled: false }
        push(timer)
        return timer
      },
      clearTimeout(timer) {
        ;(timer as Timer).isCancelled = true
      },
    },
    async runUntil(end, isBusy) {
      for (;;) {
        const next = heap[0]
        if (next === undefined || next.at > end) break
        pop()
        if (next.isCancelled) continue
        now = Math.max(now, next.at)
        next.callback()
        do await new Promise(setImmediate)
        while (isBusy())
      }
      now = end
    },
  }
}

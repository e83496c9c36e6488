import type { Clock } from '@jwks-auth/core'

/** Time that passes only from one timer to the next. */
export interface VirtualTime {
  readonly clock: Clock
  /**
   * Fires timers in order until `end`, letting all promise jobs run after each.
   *
   * @param isBusy true while work outside of virtual time (hashing, on its threads) has to end first
   */
  runUntil(end: number, isBusy: () => boolean): Promise<void>
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
  isCancelled: boolean
}

/** Starts at `start`, in milliseconds since the epoch. */
export function createVirtualTime(start: number): VirtualTime {
  let now = start
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

  return {
    clock: {
      now: () => now,
      monotonic: () => now - start,
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

import { type Clock, schedule } from '../base/clock.ts'

/** Bounds how many upstream requests are in flight, and shares the slots fairly between tenants. */
export interface FetchLimit {
  /**
   * Waits for a slot, does the work and frees the slot. The work calls `sent` when its request is written to a
   * connection; while it is still connecting, it keeps the slot for 250 ms only.
   *
   * @throws the signal's reason, when that aborts before there was a slot
   */
  run<Value>(tenant: string, signal: AbortSignal, work: (sent: () => void) => Promise<Value>): Promise<Value>
}

/** Slots of one tenant at most: its hanging providers must not delay another tenant's rotation. */
const SLOTS_PER_TENANT = 4

/**
 * Milliseconds for which an attempt that is still connecting keeps its slot. Addresses that swallow packets would
 * otherwise hold all slots until their attempts time out, and keep healthy tenants waiting.
 */
const CONNECTING_KEEPS_SLOT = 250

/** How many attempts per slot may go on connecting without one; past that, they keep their slots. */
const MAX_CONNECTING_PER_SLOT = 8

/** One tenant's share. */
interface Share {
  running: number
  readonly waiting: Set<() => void>
}

/** Creates `max` slots. A free one goes to the tenant that has waited longest for its turn. */
export function createFetchLimit(max: number, clock: Clock): FetchLimit {
  // In order of their turns: whoever got a slot goes to the end.
  const shares = new Map<string, Share>()
  let running = 0
  let connecting = 0

  function fillSlots(): void {
    for (const [tenant, share] of shares) {
      if (running >= max) return
      const next = share.waiting.values().next()
      if (next.done === true || share.running >= SLOTS_PER_TENANT) continue
      share.waiting.delete(next.value)
      shares.delete(tenant)
      shares.set(tenant, share)
      running += 1
      share.running += 1
      next.value()
    }
  }

  function freeSlot(tenant: string, share: Share): void {
    running -= 1
    share.running -= 1
    if (share.running === 0 && share.waiting.size === 0) shares.delete(tenant)
    fillSlots()
  }

  function waitForSlot(tenant: string, share: Share, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        share.waiting.delete(start)
        if (share.running === 0 && share.waiting.size === 0) shares.delete(tenant)
        reject(signal.reason)
      }
      const start = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      if (signal.aborted) {
        onAbort()
        return
      }
      signal.addEventListener('abort', onAbort, { once: true })
      share.waiting.add(start)
      fillSlots()
    })
  }

  return {
    async run(tenant, signal, work) {
      const share = shares.get(tenant) ?? { running: 0, waiting: new Set() }
      shares.set(tenant, share)
      await waitForSlot(tenant, share, signal)
      let hasSlot = true
      const cancel = schedule(clock, CONNECTING_KEEPS_SLOT, () => {
        if (connecting >= max * MAX_CONNECTING_PER_SLOT) return
        hasSlot = false
        connecting += 1
        freeSlot(tenant, share)
      })
      try {
        return await work(cancel)
      } finally {
        cancel()
        if (hasSlot) freeSlot(tenant, share)
        else connecting -= 1
      }
    },
  }
}

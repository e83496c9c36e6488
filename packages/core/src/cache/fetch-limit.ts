/** Bounds how many upstream requests are under way, and shares the places fairly between tenants. */
export interface FetchLimit {
  /**
   * Waits for a place, does the work and gives the place back.
   *
   * @throws the signal's reason, when that aborts before there was a place
   */
  run<Value>(tenant: string, signal: AbortSignal, work: () => Promise<Value>): Promise<Value>
}

/** At most this many places of one tenant: its hanging providers must not delay another tenant's rotation. */
const PLACES_PER_TENANT = 4

/** One tenant's share. */
interface Share {
  running: number
  readonly waiting: Set<() => void>
}

/** Places for `max` requests at once. A free one goes to the tenant that has waited longest for its turn. */
export function createFetchLimit(max: number): FetchLimit {
  // In order of their turns: whoever got a place goes to the end.
  const shares = new Map<string, Share>()
  let running = 0

  function admit(): void {
    for (const [tenant, share] of shares) {
      if (running >= max) return
      const next = share.waiting.values().next()
      if (next.done === true || share.running >= PLACES_PER_TENANT) continue
      share.waiting.delete(next.value)
      shares.delete(tenant)
      shares.set(tenant, share)
      running += 1
      share.running += 1
      next.value()
    }
  }

  function release(tenant: string, share: Share): void {
    running -= 1
    share.running -= 1
    if (share.running === 0 && share.waiting.size === 0) shares.delete(tenant)
    admit()
  }

  return {
    async run(tenant, signal, work) {
      const share = shares.get(tenant) ?? { running: 0, waiting: new Set() }
      shares.set(tenant, share)
      await new Promise<void>((resolve, reject) => {
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
        admit()
      })
      try {
        return await work()
      } finally {
        release(tenant, share)
      }
    },
  }
}

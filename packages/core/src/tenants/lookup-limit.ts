import { type Clock, keepAlive, schedule } from '../base/clock.ts'
import { isThenable } from '../base/steps.ts'

/** Lookups that run at the same time. */
const MAX_CONCURRENT = 16

/** Bounds how many lookups run at the same time, and how long each may take. */
export interface LookupLimit {
  /**
   * Calls a lookup once a slot is free. One that returns no promise takes no slot, and its result is returned at once
   * where nothing is waiting. A promise that takes longer than the time limit frees its slot and rejects here.
   *
   * @param priority `'known'` comes before `'unknown'`: a tenant that is in use does not wait behind forged ones
   */
  run(lookUp: () => unknown, priority: 'known' | 'unknown'): unknown
}

/** Creates a limit. Waiting for a slot and the lookup itself may each take `timeout` milliseconds. */
export function createLookupLimit(clock: Clock, timeout: number): LookupLimit {
  const queues = { known: new Set<() => void>(), unknown: new Set<() => void>() }
  let running = 0

  function startWaiting(): void {
    for (const queue of [queues.known, queues.unknown]) {
      for (const start of queue) {
        if (running >= MAX_CONCURRENT) return
        start()
      }
    }
  }

  /** Takes a slot until the promise settles or the time is over. */
  function settle(thenable: PromiseLike<unknown>): Promise<unknown> {
    const result = Promise.resolve(thenable)
    running += 1
    let isRunning = true
    const end = (): void => {
      if (!isRunning) return
      isRunning = false
      running -= 1
      cancel()
      startWaiting()
    }
    let cancel = (): void => undefined
    const timedOut = new Promise<never>((_, reject) => {
      cancel = schedule(clock, timeout, () => {
        end()
        reject(new Error(`the lookup took longer than ${timeout} ms`))
      })
    })
    result.then(end, end)
    return Promise.race([result, timedOut])
  }

  /** Calls a lookup; rejects with what it throws. */
  async function call(lookUp: () => unknown): Promise<unknown> {
    const result = lookUp()
    return isThenable(result) ? await settle(result) : result
  }

  function wait(lookUp: () => unknown, queue: Set<() => void>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        queue.delete(start)
        cancel()
        resolve(call(lookUp))
      }
      const cancel = schedule(clock, timeout, () => {
        queue.delete(start)
        reject(new Error(`no lookup could start within ${timeout} ms: ${MAX_CONCURRENT} others are running`))
      })
      queue.add(start)
    })
  }

  return {
    run(lookUp, priority) {
      if (running >= MAX_CONCURRENT) return keepAlive(wait(lookUp, queues[priority]))
      const result = lookUp()
      return isThenable(result) ? keepAlive(settle(result)) : result
    },
  }
}

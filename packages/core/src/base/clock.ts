/**
 * Where time comes from. Everything in this package that waits or compares times asks its clock,
 * so that a test can own time instead of sleeping.
 */
export interface Clock {
  /** The current time, in milliseconds since the epoch. */
  now(): number
  /** Calls back once after `delay` milliseconds. What it returns is handed to {@link Clock.clearTimeout}. */
  setTimeout(callback: () => void, delay: number): unknown
  /** Forgets a timer. Optional: a callback of a cancelled timer does nothing anyway. */
  clearTimeout?(timer: unknown): void
}

/** The longest delay that Node's timers take; a longer one would fire at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  setTimeout: (callback: () => void, delay: number) => setTimeout(callback, Math.min(delay, LONGEST_TIMEOUT)).unref(),
  clearTimeout: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
})

/** Calls back after `delay` milliseconds, unless the returned function is called first. */
export function schedule(clock: Clock, delay: number, callback: () => void): () => void {
  let pending = true
  const timer = clock.setTimeout(() => {
    if (!pending) return
    pending = false
    callback()
  }, delay)
  return () => {
    if (!pending) return
    pending = false
    clock.clearTimeout?.(timer)
  }
}

/** What the promise, which never rejects, comes to within `delay` milliseconds; `undefined` where that is too short. */
export async function settledWithin<Value>(
  clock: Clock,
  delay: number,
  promise: Promise<Value>,
): Promise<Value | undefined> {
  let cancel = (): void => undefined
  const timeout = new Promise<undefined>((resolve) => {
    cancel = schedule(clock, Math.max(0, delay), () => resolve(undefined))
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    cancel()
  }
}

/** Resolves after `delay` milliseconds; rejects with the signal's reason when that aborts first. */
export function sleep(clock: Clock, delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      cancel()
      reject(signal.reason)
    }
    const cancel = schedule(clock, delay, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

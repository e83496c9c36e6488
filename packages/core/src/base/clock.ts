/**
 * Where time comes from. Everything in this package that waits or compares times asks its clock, so that a test can own
 * time instead of sleeping.
 */
export interface Clock {
  /** The wall clock: milliseconds since the epoch. An operator or NTP may step it in either direction. */
  now(): number
  /** Milliseconds since an arbitrary moment. Never goes back; may stand still while the machine is suspended. */
  monotonic(): number
  /**
   * Calls back once after `delay` milliseconds, counted by the monotonic clock. The returned handle is passed to
   * {@link Clock.clearTimeout}. If the handle has a method `unref`, it is called, so that timers of background work do not
   * keep the process alive.
   */
  setTimeout(callback: () => void, delay: number): unknown
  /** Cancels a timer. Optional: the callback of a cancelled timer does nothing. */
  clearTimeout?(timer: unknown): void
}

/**
 * The clock, with timers that call back in another async context.
 *
 * @param runDetached calls a function in that context
 */
export function detachedClock(clock: Clock, runDetached: <Value>(work: () => Value) => Value): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimeout: (callback, delay) => runDetached(() => clock.setTimeout(callback, delay)),
    clearTimeout: (timer) => clock.clearTimeout?.(timer),
  }
}

/** One moment on both clocks. */
export interface Instant {
  /** {@link Clock.now} */
  readonly wall: number
  /** {@link Clock.monotonic} */
  readonly monotonic: number
}

/** The longest delay of Node's timers; a longer one would fire at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

/** The machine's clocks. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback: () => void, delay: number) => setTimeout(callback, Math.min(delay, LONGEST_TIMEOUT)),
  clearTimeout: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
})

/** Reads both clocks. */
export function instant(clock: Clock): Instant {
  return { wall: clock.now(), monotonic: clock.monotonic() }
}

/**
 * Milliseconds from one moment to another: what the clock says that has seen more of them. A suspended machine has only
 * the wall clock to tell it, a corrected wall clock only the monotonic one. So whatever lasts ends when either clock says
 * so, and no step of the wall clock makes it last longer than on the monotonic one.
 */
export function elapsed(since: Instant, now: Instant): number {
  return Math.max(now.wall - since.wall, now.monotonic - since.monotonic)
}

/**
 * Milliseconds that something has taken, as the timers count them. Deadlines are measured with it: while a caller waits, a
 * step of the wall clock must not end the wait.
 */
export function duration(since: Instant, now: Instant): number {
  return now.monotonic - since.monotonic
}

/**
 * Calls back after `delay` milliseconds, unless the returned function is called first. The timer alone does not keep the
 * process alive: see {@link keepAlive}.
 */
export function schedule(clock: Clock, delay: number, callback: () => void): () => void {
  let pending = true
  const timer = clock.setTimeout(() => {
    if (!pending) return
    pending = false
    callback()
  }, delay)
  unref(timer)
  return () => {
    if (!pending) return
    pending = false
    clock.clearTimeout?.(timer)
  }
}

function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && isFunction(timer.unref)) timer.unref()
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === 'function'
}

/** Resolves with the promise's value, or `undefined` after `delay` milliseconds. The promise must not reject. */
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

/** The longest interval of Node's timers; its callback does nothing. */
const KEEP_ALIVE_INTERVAL = LONGEST_TIMEOUT

/**
 * Keeps the process alive until the promise settles, for a caller who waits for it: the timers of background work alone
 * would let the process exit. This is about the event loop and not about time, so it does not use the clock.
 */
export async function keepAlive<Value>(promise: Promise<Value>): Promise<Value> {
  const handle = setInterval(() => undefined, KEEP_ALIVE_INTERVAL)
  try {
    return await promise
  } finally {
    clearInterval(handle)
  }
}

/** Resolves after `delay` milliseconds; rejects with the signal's reason if that aborts first. */
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

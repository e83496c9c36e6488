/**
 * A computation that waits only where it has to: a generator that yields each promise that it waits for. {@link runSteps}
 * runs it to its end and returns a promise only if one was yielded. It reads like an `async` function, which would always
 * return a promise.
 */
export type Steps<Result> = Generator<PromiseLike<unknown>, Result, unknown>

/** Runs a computation; returns its result, or a promise for it if it has to wait. Throws or rejects with what it throws. */
export function runSteps<Result>(steps: Steps<Result>): Result | Promise<Result> {
  const first = steps.next()
  return first.done === true ? first.value : continueSteps(steps, first.value)
}

async function continueSteps<Result>(steps: Steps<Result>, first: PromiseLike<unknown>): Promise<Result> {
  let waiting = first
  for (;;) {
    const next = await resume(steps, waiting)
    if (next.done === true) return next.value
    waiting = next.value
  }
}

async function resume<Result>(
  steps: Steps<Result>,
  waiting: PromiseLike<unknown>,
): Promise<IteratorResult<PromiseLike<unknown>, Result>> {
  let value: unknown
  try {
    value = await waiting
  } catch (error) {
    return steps.throw(error)
  }
  return steps.next(value)
}

/**
 * True for anything with a `then` method (ECMAScript §27.2). Use this instead of `instanceof Promise`: zone.js, bluebird
 * and test frameworks replace `globalThis.Promise`.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return 'then' in value && typeof value.then === 'function'
}

/**
 * The result of a promise, or the reason of the signal as soon as that aborts. What the promise does afterwards is
 * ignored.
 */
export async function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return await new Promise<Value>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    promise.then(
      (value) => {
        signal.removeEventListener('abort', onAbort)
        resolve(value)
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort)
        reject(error)
      },
    )
  })
}

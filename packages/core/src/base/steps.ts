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

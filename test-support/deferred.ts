import { vi } from 'vitest'

/** A promise, and the function that resolves it. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
}

/** Creates a promise that is resolved later. */
export function deferred<Value>(): Deferred<Value> {
  let resolve: (value: Value) => void = () => undefined
  const promise = new Promise<Value>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** Waits until the first request is authenticated and its middleware has gone on. */
export async function authenticated(
  { authenticator }: { readonly authenticator: { authenticate(...args: never[]): unknown } },
  work: () => Promise<void>,
): Promise<void> {
  const authenticate = vi.spyOn(authenticator, 'authenticate')
  await work()
  await authenticate.mock.results[0]?.value
  await new Promise((resolve) => setImmediate(resolve))
}

import { isNativeError } from 'node:util/types'

/**
 * What a callback of the application threw, as an error. Frameworks take `undefined` and `null` for no error at all,
 * and Express takes the words `'route'` and `'router'` for leave to go on: a request must not pass on account of those.
 */
export function callbackError(thrown: unknown): Error {
  if (thrown instanceof Error || isNativeError(thrown)) return thrown
  return new Error('A callback given to jwksAuth threw something that is not an Error', { cause: thrown })
}

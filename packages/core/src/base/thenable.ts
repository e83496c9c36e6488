/**
 * True for anything with a `then` method (ECMAScript §27.2). Use this instead of `instanceof Promise`: zone.js, bluebird
 * and test frameworks replace `globalThis.Promise`.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return 'then' in value && typeof value.then === 'function'
}

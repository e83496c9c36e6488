import { LRUCache } from 'lru-cache'

/** Values that are kept to be shared. Where there are more different ones, the rest is simply not shared. */
const MAX_SHARED_VALUES = 1_000

/**
 * Makes a function that gives back an equal value of before, where there was one: of a hundred thousand tenants, most
 * have the same options, and one object holds them all. For frozen values that are the same if their JSON is.
 */
export function createSharedValues<Value extends object>(): (value: Value) => Value {
  const values = new LRUCache<string, Value>({ max: MAX_SHARED_VALUES })
  return (value) => {
    const text = JSON.stringify(value)
    const known = values.get(text)
    if (known === undefined) values.set(text, value)
    return known ?? value
  }
}

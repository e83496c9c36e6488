import { LRUCache } from 'lru-cache'
import { valueText } from '../base/value-text.ts'

/** Different values that are kept to be shared. Beyond that, the rest is not shared. */
const MAX_SHARED_VALUES = 1_000

/**
 * Creates a function that returns an equal earlier value, if there was one: of a hundred thousand tenants, most have the
 * same options, and share one object. For frozen values that are the same if their {@link valueText} is.
 */
export function createSharedValues<Value extends object>(): (value: Value) => Value {
  const values = new LRUCache<string, Value>({ max: MAX_SHARED_VALUES })
  return (value) => {
    const text = valueText(value)
    const known = values.get(text)
    if (known === undefined) values.set(text, value)
    return known ?? value
  }
}

/** Deeper data is not cloned: no real claims are, and the stack must not depend on a token. */
const MAX_DEPTH = 32

/** What a member costs beside its value: a slot, and its part of a hidden class. */
const MEMBER_BYTES = 64
const OBJECT_BYTES = 64
const STRING_BYTES = 24
const NUMBER_BYTES = 16

/** Clones JSON data, such as {@link isJsonData} accepts. A change of the clone does not affect the original. */
export function cloneJson<Data>(value: Data): Data {
  if (typeof value !== 'object' || value === null) return value
  // The result has the type of what it was cloned from.
  return (Array.isArray(value) ? cloneArray(value) : cloneObject(value)) as Data
}

function cloneArray(items: readonly unknown[]): readonly unknown[] {
  const copy = items.slice()
  for (let at = 0; at < copy.length; at += 1) copy[at] = cloneJson(copy[at])
  return copy
}

/** `for … in` takes half the time of `Object.keys`, on each request. */
function cloneObject(value: object): object {
  const copy: Record<string, unknown> = { ...value }
  for (const name in copy) {
    // Own members only, `__proto__` included: the spread has created them.
    if (typeof copy[name] === 'object' && Object.hasOwn(copy, name)) copy[name] = cloneJson(copy[name])
  }
  return copy
}

/**
 * True for data that {@link cloneJson} clones completely: primitives, arrays and plain objects, to a depth of 32.
 * Instances of classes (dates and maps too), functions, accessors and hidden members are not JSON data.
 */
export function isJsonData(value: unknown, depth: number = MAX_DEPTH): boolean {
  if (typeof value === 'function') return false
  if (typeof value !== 'object' || value === null) return true
  const isArray = Array.isArray(value)
  if (depth === 0 || Object.getPrototypeOf(value) !== (isArray ? Array.prototype : Object.prototype)) return false
  const members = Object.entries(Object.getOwnPropertyDescriptors(value))
  const names = Reflect.ownKeys(value).length
  if (names !== members.length) return false
  // An array's `length` is its one hidden member; with holes, it has fewer items than that says.
  if (isArray && names !== value.length + 1) return false
  return members.every(([name, { value: member, enumerable, get, set }]) => {
    if (get !== undefined || set !== undefined) return false
    return enumerable === true ? isJsonData(member, depth - 1) : isArray && name === 'length'
  })
}

/**
 * Estimates the bytes that JSON data takes in memory, rather too many than too few; `Infinity` where it nests deeper than
 * 32 levels.
 */
export function bytesOfJson(value: unknown, depth: number = MAX_DEPTH): number {
  if (typeof value === 'string') return STRING_BYTES + 2 * value.length
  if (typeof value !== 'object' || value === null) return NUMBER_BYTES
  if (depth === 0) return Number.POSITIVE_INFINITY
  let bytes = OBJECT_BYTES
  if (Array.isArray(value)) {
    for (const item of value) bytes += NUMBER_BYTES + bytesOfJson(item, depth - 1)
    return bytes
  }
  for (const member of Object.values(value)) bytes += MEMBER_BYTES + bytesOfJson(member, depth - 1)
  for (const name of Object.keys(value)) bytes += name.length
  return bytes
}

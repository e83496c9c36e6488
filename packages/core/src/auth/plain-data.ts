/** Deeper than this, data is not copied: nobody's claims are, and the stack is not a stranger's to use. */
const MAX_DEPTH = 32

/** What a member costs beside its value: a slot, and its part of a hidden class that no other object may share. */
const MEMBER_BYTES = 64
const OBJECT_BYTES = 64
const STRING_BYTES = 24
const NUMBER_BYTES = 16

/** One for all, so that what is flat, as most is, needs no list of its own. */
const NONE: readonly string[] = []

/**
 * True for what {@link copyPlainData} copies whole: primitives, arrays, and objects such as `JSON.parse` makes, to a
 * depth of 32. Instances of classes (dates and maps too), functions, accessors and hidden members are not plain.
 */
export function isPlainData(value: unknown, depth: number = MAX_DEPTH): boolean {
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
    return enumerable === true ? isPlainData(member, depth - 1) : isArray && name === 'length'
  })
}

/** A copy of plain data, all the way down: nothing that is done to it can be seen in the original. */
export function copyPlainData<Data>(value: Data): Data {
  if (typeof value !== 'object' || value === null) return value
  return (Array.isArray(value) ? copyArray(value) : copyObject(value)) as Data
}

/** Half the time of `map`, which matters for the lists of strings in claims. */
function copyArray(items: readonly unknown[]): readonly unknown[] {
  const copy = items.slice()
  for (let at = 0; at < copy.length; at += 1) {
    if (typeof copy[at] === 'object') copy[at] = copyPlainData(copy[at])
  }
  return copy
}

/** The members of an object that are objects themselves: what {@link copyNested} has to go into. */
export function nestedNames(value: object): readonly string[] {
  // By lists of names and of values: reading members by name costs more where objects are of many shapes.
  const members = Object.values(value)
  if (!members.some(hasMembers)) return NONE
  return Object.keys(value).filter((_, at) => hasMembers(members[at]))
}

function copyObject(value: object): object {
  return copyNested({ ...value }, nestedNames(value))
}

/** Makes a shallow copy of plain data a whole one, given the members that are objects. */
export function copyNested<Data extends object>(shallow: Data, nested: readonly string[]): Data {
  // Each is a member already, so that not even `__proto__` is assigned to anything else than a member.
  for (const name of nested) shallow[name as keyof Data] = copyPlainData(shallow[name as keyof Data])
  return shallow
}

/**
 * About how many bytes JSON data takes in memory, rather more than less; `Infinity` where it nests too deeply to be
 * copied.
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

/** True for an object and for a list. */
function hasMembers(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

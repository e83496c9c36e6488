const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/**
 * True where the parsed value has exactly the members that the text has. It has not where an object has a member
 * twice, which `JSON.parse` hides and other readers resolve otherwise (RFC 8725 §2.4, RFC 7515 §4); nor where
 * `JSON.parse` itself misreads a name with escapes, as V8 does in Node 24 and 26 after it has seen one that contains a
 * backslash.
 *
 * @param json the text in UTF-8, of which reading a byte costs a third of reading a string's character
 * @param value what `JSON.parse` made of the text
 */
export function hasSameMembers(json: Buffer, value: unknown): boolean {
  const { count, hasEscapes } = scanMembers(json)
  if (count !== countMembers(value)) return false
  if (!hasEscapes) return true
  const literals: string[] = []
  scanMembers(json, literals)
  const names = literals.map((literal) => JSON.parse(literal) as string).toSorted()
  return parsedNames(value)
    .toSorted()
    .every((name, at) => name === names[at])
}

/** The names of a text's members, all levels together. */
interface WrittenMembers {
  readonly count: number
  /** True where some name is written with an escape. */
  readonly hasEscapes: boolean
}

/**
 * Every member has one colon outside of strings, and its name is the string before that. In UTF-8, bytes like these are
 * nothing else (RFC 3629 §3).
 *
 * @param literals filled, if given, with the names as they are written, quotes included
 */
function scanMembers(json: Buffer, literals?: string[]): WrittenMembers {
  let count = 0
  let hasEscapes = false
  let start = -1
  let end = -1
  let isEscaped = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]
    if (byte === QUOTE) {
      start = at
      isEscaped = false
      for (at += 1; at < json.length && json[at] !== QUOTE; at += 1) {
        if (json[at] !== BACKSLASH) continue
        isEscaped = true
        at += 1
      }
      end = at + 1
    } else if (byte === COLON) {
      count += 1
      hasEscapes ||= isEscaped
      literals?.push(json.toString('utf8', start, end))
    }
  }
  return { count, hasEscapes }
}

/** Without recursion, as below: a token can nest deeper than the stack is. */
function countMembers(value: unknown): number {
  let count = 0
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const next = pending.pop()
    if (typeof next !== 'object' || next === null) continue
    const children = Object.values(next)
    if (!Array.isArray(next)) count += children.length
    for (const child of children) if (typeof child === 'object') pending.push(child)
  }
  return count
}

function parsedNames(value: unknown): readonly string[] {
  const names: string[] = []
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const next = pending.pop()
    if (typeof next !== 'object' || next === null) continue
    if (!Array.isArray(next)) names.push(...Object.keys(next))
    for (const child of Object.values(next)) if (typeof child === 'object') pending.push(child)
  }
  return names
}

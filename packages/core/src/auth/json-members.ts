const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/**
 * True where an object in the text has a member twice, which `JSON.parse` hides and other readers resolve otherwise
 * (RFC 8725 §2.4, RFC 7515 §4). Every member has one colon outside of strings; the parsed value has fewer members
 * than the text has colons exactly if some of them were dropped.
 *
 * @param value what `JSON.parse` made of the text
 */
export function hasDuplicateMembers(text: string, value: unknown): boolean {
  return countColons(text) !== countMembers(value)
}

function countColons(text: string): number {
  let colons = 0
  let isInString = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (isInString) {
      if (code === BACKSLASH) at += 1
      else if (code === QUOTE) isInString = false
    } else if (code === QUOTE) isInString = true
    else if (code === COLON) colons += 1
  }
  return colons
}

/** Without recursion: a token can nest deeper than the stack is. */
function countMembers(value: unknown): number {
  let members = 0
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const next = pending.pop()
    if (typeof next !== 'object' || next === null) continue
    const children: readonly unknown[] = Object.values(next)
    if (!Array.isArray(next)) members += children.length
    for (const child of children) if (typeof child === 'object') pending.push(child)
  }
  return members
}

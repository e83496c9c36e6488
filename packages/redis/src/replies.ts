/* Replies of scripts are not trusted: some clients return numbers as strings. */

/** True for the 1 that a script returns where something was done. */
export function isDone(reply: unknown): boolean {
  return reply === 1 || reply === '1'
}

/** The items of a list; none where the reply is no list. */
export function listIn(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : []
}

/** A text that is not empty; `undefined` for anything else. */
export function textIn(reply: unknown): string | undefined {
  return typeof reply === 'string' && reply !== '' ? reply : undefined
}

/** Parses what was saved as JSON; other text is returned as it is, and the registry refuses it with an event. */
export function recordIn(reply: unknown): unknown {
  if (typeof reply !== 'string') return undefined
  try {
    return JSON.parse(reply)
  } catch {
    return reply
  }
}

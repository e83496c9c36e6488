/** What scripts answer, read without trust in the client: some are set to give numbers as strings. */

/** True for the 1 that a script answers where something was done. */
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

/** What was saved as JSON; text that is none is handed on as it is, for the registry to refuse it with an event. */
export function recordIn(reply: unknown): unknown {
  if (typeof reply !== 'string') return undefined
  try {
    return JSON.parse(reply)
  } catch {
    return reply
  }
}

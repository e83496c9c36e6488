import { parseJson } from '../base/json.ts'

/** The members of a signed envelope, which are all flat. */
const ENVELOPE = { members: ['version', 'payload', 'keepUntil', 'integrity'], maxEntries: 0 }

/**
 * Parses a text that should be a snapshot or a revocation, without stalling the event loop; `undefined` for what is not
 * JSON. Of a long text, other members than those of a `Snapshot` are dropped.
 */
export async function parseSnapshot(text: string): Promise<unknown> {
  return await parseJson(text, ENVELOPE)
}

/**
 * The value that a store returned, as plain JSON; `undefined` where there is none, `null` for what is not JSON. A store is
 * other people's code: it may return an object that contains itself, or one whose members throw when they are read.
 */
export function plainJson(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    return JSON.parse(JSON.stringify(value))
  } catch {
    return null
  }
}

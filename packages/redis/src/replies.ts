import { parseSnapshot } from '@jwks-auth/core/adapter'
import { LONGEST_RECORD } from './scripts.ts'

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

/** Parses a snapshot; other text is returned as it is, and the registry refuses it with an event. */
export async function snapshotIn(reply: unknown): Promise<unknown> {
  return typeof reply === 'string' ? ((await parseSnapshot(reply)) ?? reply) : undefined
}

/** Parses a short record; other text, and a longer one, is returned as it is, and the registry refuses it. */
export function recordIn(reply: unknown): unknown {
  if (typeof reply !== 'string') return undefined
  if (reply.length > LONGEST_RECORD) return reply
  try {
    return JSON.parse(reply)
  } catch {
    return reply
  }
}

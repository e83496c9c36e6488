import { parseHttpDate } from './cache-directives.ts'

/**
 * Reads `Retry-After` (RFC 9110 §10.2.3), given as seconds or as a date.
 *
 * @param now milliseconds since the epoch
 * @returns milliseconds from `now`, at least 0; `undefined` when the header is absent or in neither form
 */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000
  const date = parseHttpDate(text, now)
  return date === undefined ? undefined : Math.max(0, date - now)
}

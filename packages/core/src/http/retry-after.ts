/**
 * Reads `Retry-After` (RFC 9110 §10.2.3), given as seconds or as a date.
 *
 * @returns milliseconds from `now`, at least 0; `undefined` when the header is absent or in neither form.
 */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000
  // HTTP dates name the weekday; without this, Date.parse would take "-1" or "1.5" for a date.
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

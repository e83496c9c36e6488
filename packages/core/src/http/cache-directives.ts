import { parseHttpDate } from './http-date.ts'

/** `Cache-Control` directives by lower-case name; `undefined` for one without an argument. */
export type CacheDirectives = ReadonlyMap<string, string | undefined>

/** A directive: a token, perhaps `=` and a token or a quoted string (RFC 9111 §5.2). */
const DIRECTIVE = /\s*([^\s,="]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*)))?\s*(?:,|$)|[^,]*(?:,|$)/gy

/**
 * Reads `Cache-Control`. Where a directive with a number is repeated, the smallest counts; one that is not a number is 0
 * (RFC 9111 §4.2.1: a response that contradicts itself may be considered stale).
 */
export function parseCacheControl(header: string): CacheDirectives {
  const directives = new Map<string, string | undefined>()
  for (const [text, token, quoted, plain] of header.matchAll(DIRECTIVE)) {
    if (text === '') break
    if (token === undefined) continue
    const name = token.toLowerCase()
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain?.trim()
    if (!directives.has(name)) directives.set(name, value)
    else if (value !== undefined) directives.set(name, smaller(directives.get(name), value))
  }
  return directives
}

function smaller(one: string | undefined, other: string): string {
  return String(Math.min(deltaSeconds(one) ?? 0, deltaSeconds(other) ?? 0))
}

/** The greatest number of seconds that has to be understood (RFC 9111 §1.2.2): 68 years. */
const MAX_SECONDS = 2 ** 31

/** A number of seconds (RFC 9111 §1.2.2); `undefined` for anything else. */
export function deltaSeconds(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Math.min(Number(value), MAX_SECONDS) : undefined
}

/** Seconds of `Age`: the first member, where it came several times (RFC 9111 §5.1); 0 for what is not a number. */
export function parseAge(header: string | undefined): number {
  return deltaSeconds(header?.split(',')[0]?.trim()) ?? 0
}

/**
 * Reads `Expires`.
 *
 * @returns milliseconds since the epoch, the earliest where it came several times; 0, which is in the past, for anything
 * that is not an HTTP-date, `0` above all (RFC 9111 §5.3)
 */
export function parseExpires(header: string, now: number): number {
  // An HTTP-date has one comma at most, after the name of its day.
  const dates = header.match(/[^,]*?[A-Za-z]{3,9},[^,]*|[^,]+/g) ?? []
  return Math.min(
    ...dates.map((date) => parseHttpDate(date, now) ?? 0),
    dates.length === 0 ? 0 : Number.MAX_SAFE_INTEGER,
  )
}

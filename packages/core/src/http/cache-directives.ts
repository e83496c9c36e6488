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

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const TIME = String.raw`(\d{2}):(\d{2}):(\d{2})`

/** `Sun, 06 Nov 1994 08:49:37 GMT`: the form that is sent today. */
const IMF_FIXDATE = new RegExp(`^[a-z]{3}, (\\d{2}) ([a-z]{3}) (\\d{4}) ${TIME} GMT$`, 'i')

/** `Sunday, 06-Nov-94 08:49:37 GMT`. */
const RFC_850_DATE = new RegExp(`^[a-z]{6,9}, (\\d{2})-([a-z]{3})-(\\d{2}) ${TIME} GMT$`, 'i')

/** `Sun Nov  6 08:49:37 1994`; some servers add `GMT`. */
const ASCTIME_DATE = new RegExp(`^[a-z]{3} ([a-z]{3}) ([ \\d]\\d) ${TIME} (\\d{4})(?: GMT)?$`, 'i')

/** Milliseconds in 50 years, for years with two digits. */
const FIFTY_YEARS = 50 * 365.25 * 86_400_000

/**
 * Reads an HTTP-date in one of its three forms (RFC 9110 §5.6.7). `Date.parse` would also take `3600` (a year) or
 * `-1` (a month) for a date.
 *
 * @param now milliseconds since the epoch; decides the century of a year with two digits
 * @returns milliseconds since the epoch; `undefined` for anything that is not an HTTP-date
 */
export function parseHttpDate(value: string, now: number): number | undefined {
  const text = value.trim()
  const [, ...fixdate] = IMF_FIXDATE.exec(text) ?? []
  if (fixdate.length > 0) return timeOf(fixdate)
  const [, day = '', month = '', year, ...time] = RFC_850_DATE.exec(text) ?? []
  if (year !== undefined) {
    const date = timeOf([day, month, `20${year}`, ...time])
    return date !== undefined && date - now > FIFTY_YEARS ? timeOf([day, month, `19${year}`, ...time]) : date
  }
  const [, monthName = '', dayOfMonth, hour = '', minute = '', second = '', fullYear = ''] =
    ASCTIME_DATE.exec(text) ?? []
  if (dayOfMonth === undefined) return undefined
  return timeOf([dayOfMonth, monthName, fullYear, hour, minute, second])
}

function timeOf(parts: readonly string[]): number | undefined {
  const [day = '', monthName = '', year, hour, minute, second] = parts
  const month = MONTHS.indexOf(monthName.toLowerCase())
  const time = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second))
  // Date.UTC carries over, so that 31 February would be 3 March. Second 60 is a leap second.
  const midnight = new Date(Date.UTC(Number(year), month, Number(day)))
  const isValid = month >= 0 && midnight.getUTCDate() === Number(day) && Number(hour) < 24 && Number(minute) < 60
  return isValid && Number(second) <= 60 ? time : undefined
}

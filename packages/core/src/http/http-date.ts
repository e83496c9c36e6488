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

/** How figures are written. */

/** @typedef {import('./statistics.mjs').Spread} Spread */

const digits = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** @param {number} value */
export function number(value) {
  return (value >= 1000 ? whole : digits).format(value).replaceAll(',', ' ')
}

/** Operations per second. @param {number} rate */
export function perSecond(rate) {
  return number(rate >= 10_000 ? Math.round(rate / 100) * 100 : rate)
}

/** What one operation takes at that rate. @param {number} rate operations per second */
export function timeEach(rate) {
  const microseconds = 1e6 / rate
  return microseconds >= 1000 ? `${number(microseconds / 1000)} ms` : `${number(microseconds)} µs`
}

/** @param {number} bytes */
export function bytes(bytes) {
  if (Math.abs(bytes) < 10_240) return `${whole.format(bytes).replaceAll(',', ' ')} B`
  if (bytes < 10 * 1024 * 1024) return `${number(bytes / 1024)} KiB`
  return `${number(bytes / 1024 / 1024)} MiB`
}

/** The middle, and between which values the middle half of the rounds lies. @param {Spread} spread */
export function ratio({ median, low, high }) {
  return `${factor(median)} × (${factor(low)}–${factor(high)})`
}

/** As {@link ratio}, for what is a share of something. @param {Spread} spread */
export function share({ median, low, high }) {
  return `${percent(median)} (${percent(low)}–${percent(high)})`
}

/** @param {number} value */
function factor(value) {
  if (value < 0.1) return digits.format(value)
  return value >= 100 ? whole.format(value).replaceAll(',', ' ') : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** @param {number} value */
export function percent(value) {
  return `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  return milliseconds >= 1 ? `${number(milliseconds)} ms` : `${number(milliseconds * 1000)} µs`
}

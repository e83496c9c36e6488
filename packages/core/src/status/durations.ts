const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const UNITS: readonly (readonly [milliseconds: number, name: string])[] = [
  [DAY, 'd'],
  [HOUR, 'h'],
  [MINUTE, 'min'],
  [SECOND, 's'],
]

/** A duration in its two largest units, such as `2 h 5 min`. Seconds are left out beyond ten minutes. */
export function durationText(milliseconds: number): string {
  const rounded = milliseconds < 10 * MINUTE ? milliseconds : Math.floor(milliseconds / MINUTE) * MINUTE
  let rest = Math.max(0, Math.round(rounded / SECOND) * SECOND)
  const parts: string[] = []
  for (const [unit, name] of UNITS) {
    const count = Math.floor(rest / unit)
    rest -= count * unit
    // After the first unit that counts comes one more, even if that is zero and so left out.
    if (parts.length > 0) return count === 0 ? (parts[0] ?? '') : `${parts[0]} ${count} ${name}`
    if (count > 0) parts.push(`${count} ${name}`)
  }
  return parts[0] ?? '0 s'
}

/** Where a moment is from now: `2 min ago`, `in 43 min`, `now`. */
export function distanceText(time: number, now: number): string {
  const distance = Math.round((time - now) / SECOND) * SECOND
  if (distance === 0) return 'now'
  return distance < 0 ? `${durationText(-distance)} ago` : `in ${durationText(distance)}`
}

/** The time of day in UTC, with the day where it is another one than today. */
export function clockText(time: number, now: number): string {
  const iso = new Date(time).toISOString()
  const isToday = iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10)
  return isToday ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 16)}`
}

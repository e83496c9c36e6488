/** Middle values and spreads. A figure without its spread says nothing, so ratios carry theirs with them. */

/**
 * @param {readonly number[]} values at least one
 * @param {number} share 0 to 1
 */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5)
}

/**
 * Where the middle is, where the middle half lies, and the extremes.
 *
 * @typedef {{ median: number, low: number, high: number, least: number, most: number, rounds: number }} Spread
 *
 * @param {readonly number[]} values
 * @returns {Spread}
 */
export function spreadOf(values) {
  return {
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    least: quantile(values, 0),
    most: quantile(values, 1),
    rounds: values.length,
  }
}

/**
 * The ratio of two contenders, round by round, so that what slows a round down slows both sides of it.
 *
 * @param {readonly (number | undefined)[]} ours by round; a round in which it did not take part is undefined
 * @param {readonly (number | undefined)[]} theirs
 * @returns {Spread}
 */
export function ratioOf(ours, theirs) {
  const ratios = ours.flatMap((value, round) => {
    const other = theirs[round]
    return value === undefined || other === undefined ? [] : [value / other]
  })
  if (ratios.length === 0) throw new Error('the two never ran in the same round')
  return spreadOf(ratios)
}

/**
 * Rates of which, round by round, the time of one of them is taken off: what all of them have to do, and none of them is
 * measured for.
 *
 * @param {import('./rounds.mjs').Figures} figures operations per second
 * @param {string} common which one; it is left out
 * @returns {import('./rounds.mjs').Figures}
 */
export function without(figures, common) {
  const shared = figures.get(common) ?? []
  const rest = [...figures].filter(([name]) => name !== common)
  return new Map(
    rest.map(([name, values]) => [
      name,
      values.map((value, round) => {
        const other = shared[round]
        return value === undefined || other === undefined ? undefined : 1 / (1 / value - 1 / other)
      }),
    ]),
  )
}

/** @param {readonly (number | undefined)[]} values */
export function present(values) {
  return values.filter((value) => value !== undefined)
}

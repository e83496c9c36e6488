/** Random choices that a seed decides. */
export interface Chance {
  /** A number from 0 to below 1. */
  next(): number
  /** One of these. */
  pick<Value>(values: readonly Value[]): Value
}

/** The seed of this run: `CHAOS_SEED`, or a new one. It is printed, so that a run can be repeated. */
export function chaosSeed(): number {
  const given = process.env['CHAOS_SEED']
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
  process.stdout.write(`chaos: CHAOS_SEED=${seed}\n`)
  return seed
}

/** Milliseconds that all runs of a file take together: `CHAOS_MINUTES`, or what is given. */
export function chaosTime(usual: number): number {
  const minutes = process.env['CHAOS_MINUTES']
  return minutes === undefined ? usual : Number(minutes) * 60_000
}

/** Mulberry32: small, and the same on every machine. */
export function createChance(seed: number): Chance {
  let state = seed | 0
  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    pick(values) {
      const value = values[Math.floor(next() * values.length)]
      if (value === undefined) throw new Error('there is nothing to pick from')
      return value
    },
  }
}

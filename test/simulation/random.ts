/** A seeded source of chance: the same seed gives the same run. */
export interface Chance {
  /** From 0 to below 1. */
  next(): number
  /** A whole number within inclusive bounds. */
  integer(min: number, max: number): number
  /** True with this probability. */
  happens(probability: number): boolean
  /** One of several. */
  pick<Item>(items: readonly Item[]): Item
  /** So many random bytes as base64url. */
  base64url(bytes: number): string
}

/** Mulberry32: 32 bits of state are plenty for telling runs apart. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))
  return {
    next,
    integer,
    happens: (probability) => next() < probability,
    pick(items) {
      const item = items[integer(0, items.length - 1)]
      if (item === undefined) throw new TypeError('nothing to pick from')
      return item
    },
    base64url: (bytes) => Buffer.from(Array.from({ length: bytes }, () => integer(0, 255))).toString('base64url'),
  }
}

/**
 * A seeded source of chance, Mulberry32: the same seed gives the same choices.
 *
 * @param {number} seed
 */
export function createChance(seed) {
  let state = seed >>> 0
  function next() {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    next,
    /** A whole number from 0 to below this. @param {number} limit */
    below: (limit) => Math.floor(next() * limit),
    /** @template Item @param {readonly [Item, ...Item[]]} items @returns {Item} */
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
    /** @param {number} count */
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(next() * 256))),
  }
}

/** @typedef {ReturnType<typeof createChance>} Chance */

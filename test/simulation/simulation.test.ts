import { describe, expect, it } from 'vitest'
import { simulate } from './run.ts'

const FIXED_SEEDS = [1, 2, 3, 4, 5, 6, 7, 8]
const freshSeeds = Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 32))

describe('a provider that rotates, fails, hangs, throttles and lies, on a machine with a wrong clock', () => {
  it.each([...FIXED_SEEDS, ...freshSeeds])('breaks no rule of the cache in a day (seed %i)', async (seed) => {
    const { counts } = await simulate(seed, 24)
    // A run in which nothing happens would break no rule.
    expect(counts.fetches).toBeGreaterThan(20)
    expect(counts.accepted).toBeGreaterThan(1_000)
    expect(counts.acceptedAtOnce).toBeGreaterThan(500)
    expect(counts.refused).toBeGreaterThan(100)
    expect(counts.expired).toBeGreaterThan(10)
    expect(counts.steps).toBeGreaterThan(3)
    expect(counts.suspensions).toBeGreaterThan(1)
  })
})

it('plays the same seed the same way', async () => {
  expect(await simulate(42, 12)).toEqual(await simulate(42, 12))
})

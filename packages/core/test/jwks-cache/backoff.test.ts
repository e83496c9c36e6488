import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RetryPolicy } from '../../src/jwks-cache/cache-options.ts'
import { negativeTtl, obeyedRetryAfter, refreshBackoff, retryDelay } from '../../src/jwks-cache/retry.ts'

const random = fc.double({ min: 0, max: 0.999_999, noNaN: true })
const runs = { numRuns: 20_000 }

function policy(jitter: RetryPolicy['jitter']): RetryPolicy {
  return { maxRetries: 5, attemptTimeout: 1, initialBackoff: 100, maxBackoff: 1_000, deadline: 1, jitter }
}

describe('retryDelay', () => {
  it("doubles from the initial pause to the longest with 'none'", () => {
    const delays = [0, 1, 2, 3, 4, 50].map((retry) => retryDelay(policy('none'), retry, 0, () => 0.5))
    expect(delays).toEqual([100, 200, 400, 800, 1_000, 1_000])
  })

  it.each([
    [0, [0, 0, 0, 0, 0]],
    [0.5, [50, 100, 200, 400, 500]],
  ])("takes the share %d of what 'none' pauses with 'full'", (drawn, expected) => {
    expect([0, 1, 2, 3, 4].map((retry) => retryDelay(policy('full'), retry, 0, () => drawn))).toEqual(expected)
  })

  it.each([
    [0, [100, 100, 100, 100]],
    [0.5, [200, 350, 575, 912.5]],
    [0.999, [299.8, 898.6, 1_000, 1_000]],
  ])(
    "lies the share %d between the first pause and three times the last one with 'decorrelated'",
    (drawn, expected) => {
      let previous = 100
      const delays = [0, 1, 2, 3].map((retry) => {
        previous = retryDelay(policy('decorrelated'), retry, previous, () => drawn)
        return previous
      })
      for (const [index, delay] of delays.entries()) expect(delay).toBeCloseTo(expected[index] ?? 0, 0)
    },
  )

  it('keeps within the bounds of its kind', () => {
    const jitters = fc.constantFrom('none' as const, 'full' as const, 'decorrelated' as const)
    fc.assert(
      fc.property(
        jitters,
        fc.nat(100),
        fc.integer({ min: 100, max: 1_000 }),
        random,
        (jitter, retry, previous, drawn) => {
          const delay = retryDelay(policy(jitter), retry, previous, () => drawn)
          expect(delay).toBeLessThanOrEqual(1_000)
          expect(delay).toBeGreaterThanOrEqual(jitter === 'full' ? 0 : 100)
        },
      ),
      runs,
    )
  })
})

describe('refreshBackoff', () => {
  it('doubles from 1 s to 60 s, from half to whole', () => {
    const wholes = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    expect(wholes.map((_, index) => refreshBackoff(index + 1, () => 0))).toEqual(wholes.map((whole) => whole / 2))
    expect(wholes.map((_, index) => refreshBackoff(index + 1, () => 1))).toEqual(wholes)
  })

  it('never leaves 0.5 s to 60 s, however many failures there were', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), random, (failures, drawn) => {
        const pause = refreshBackoff(failures, () => drawn)
        expect(pause).toBeGreaterThanOrEqual(500)
        expect(pause).toBeLessThanOrEqual(60_000)
      }),
      runs,
    )
  })
})

describe('negativeTtl', () => {
  it.each([
    [1_000, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]],
    [3_000, [3_000, 6_000, 10_000, 10_000, 10_000, 10_000]],
    [10_000, [10_000, 10_000, 10_000, 10_000, 10_000, 10_000]],
    [30_000, [30_000, 30_000, 30_000, 30_000, 30_000, 30_000]],
    [0, [0, 0, 0, 0, 0, 0]],
  ])('of %d ms grows as %j', (ttl, expected) => {
    expect(expected.map((_, index) => negativeTtl(ttl, index + 1))).toEqual(expected)
  })

  it('stays a number after any number of failures', () => {
    expect(negativeTtl(1_000, 1_000_000)).toBe(10_000)
    expect(negativeTtl(0, 1_000_000)).toBe(0)
  })
})

describe('obeyedRetryAfter', () => {
  it.each([
    ['none', undefined, 0, 0],
    ['a short one, no fresh keys', 5_000, 0, 5_000],
    ['a long one, no fresh keys', 3_600_000, 0, 60_000],
    ['a long one, keys expired long ago', 3_600_000, -500_000, 60_000],
    ['a long one, keys fresh for long', 3_600_000, 7_200_000, 600_000],
    ['one of five minutes, keys fresh for long', 300_000, 7_200_000, 300_000],
    ['a long one, keys about to expire', 3_600_000, 30_000, 60_000],
    ['a long one, keys fresh for three minutes', 3_600_000, 180_000, 180_000],
  ])('%s', (_, retryAfter, freshFor, obeyed) => {
    expect(obeyedRetryAfter(retryAfter, freshFor)).toBe(obeyed)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { storedPolicy } from '../../src/http/freshness.ts'
import { type LifetimeOptions, lifetimesOf, timeToLive } from '../../src/jwks-cache/policy.ts'
import { providerDefaults } from '../../src/registry/provider-options.ts'

const now = Date.UTC(2025, 0, 1)

function lifetimes(headers: Record<string, string>, options: Partial<LifetimeOptions> = {}, random = 0) {
  const policy = storedPolicy('https://issuer.example/jwks', headers, now)
  const { refreshAfter, freshFor, staleFor, staleIfErrorFor } = lifetimesOf(
    policy,
    { ...providerDefaults, prefetchJitter: 0, ...options },
    random,
  )
  return { refreshAfter, freshFor, stale: staleFor - freshFor, staleIfError: staleIfErrorFor - freshFor }
}

describe('timeToLive', () => {
  const bounds = { minTtl: 1_000, maxTtl: 10_000, defaultTtl: 5_000 }
  it.each([
    ['keeps a lifetime within the bounds', 7_000, 7_000],
    ['raises a short one to minTtl', 10, 1_000],
    ['raises 0 to minTtl', 0, 1_000],
    ['raises a negative one to minTtl', -50_000, 1_000],
    ['lowers a long one to maxTtl', 1_000_000, 10_000],
    ['uses defaultTtl without explicit freshness', undefined, 5_000],
  ])('%s', (_, lifetime, ttl) => {
    expect(timeToLive({ lifetime, staleIfError: 0 }, bounds)).toBe(ttl)
  })

  it('clamps defaultTtl, too', () => {
    expect(timeToLive({ lifetime: undefined, staleIfError: 0 }, { ...bounds, defaultTtl: 60_000 })).toBe(10_000)
  })
})

describe('lifetimesOf', () => {
  it.each([
    ['max-age', { 'cache-control': 'max-age=600' }, 600_000],
    ['max-age less Age', { 'cache-control': 'max-age=600', age: '100' }, 500_000],
    ["Auth0's", { 'cache-control': 'max-age=15, stale-while-revalidate=15, stale-if-error=86400' }, 30_000],
    ['no-store', { 'cache-control': 'no-store, max-age=600' }, 30_000],
    ['no-cache', { 'cache-control': 'no-cache' }, 30_000],
    ['max-age=0', { 'cache-control': 'max-age=0' }, 30_000],
    ['no header', {}, 600_000],
    ['a year-old Last-Modified alone', { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }, 600_000],
    ['a bare immutable', { 'cache-control': 'immutable' }, 600_000],
    ['a private response', { 'cache-control': 'private, max-age=300' }, 300_000],
    ['max-age beside s-maxage, which is for shared caches', { 'cache-control': 's-maxage=9999, max-age=300' }, 300_000],
    ['Expires', { expires: 'Wed, 01 Jan 2025 01:00:00 GMT', date: 'Wed, 01 Jan 2025 00:00:00 GMT' }, 3_600_000],
    ['ten years', { 'cache-control': 'max-age=315360000' }, 86_400_000],
  ])('computes the fresh lifetime, within bounds, from %s', (_, headers, freshFor) => {
    expect(lifetimes(headers).freshFor).toBe(freshFor)
  })

  it.each([
    ['refreshes refreshEarly before the expiry', 600_000, {}, 0, 570_000],
    ['refreshes earlier by the jitter', 600_000, { prefetchJitter: 10_000 }, 0.5, 565_000],
    ['refreshes at half of the lifetime where refreshEarly is longer', 40_000, {}, 0, 20_000],
    ['refreshes at half of the lifetime with the longest jitter', 70_000, { prefetchJitter: 60_000 }, 0.999, 35_000],
    ['refreshes at the expiry without refreshEarly', 600_000, { refreshEarly: 0 }, 0, 600_000],
    ["refreshes at the expiry with prefetch: 'never'", 600_000, { prefetch: 'never' as const }, 0.5, 600_000],
  ])('%s', (_, ttl, options, random, refreshAfter) => {
    expect(lifetimes({ 'cache-control': `max-age=${ttl / 1000}` }, options, random).refreshAfter).toBe(refreshAfter)
  })

  it.each([
    ['staleWhileError', '', {}, 3_600_000, 3_600_000],
    ['a longer stale-if-error, for outages only', 'stale-if-error=7200', {}, 3_600_000, 7_200_000],
    ['staleWhileError where stale-if-error is shorter', 'stale-if-error=60', {}, 3_600_000, 3_600_000],
    ['stale-if-error up to maxStale', 'stale-if-error=999999', {}, 3_600_000, 86_400_000],
    ['maxStale where staleWhileError is longer', 'stale-if-error=999999', { maxStale: 1_000 }, 1_000, 1_000],
    [
      'no time with staleWhileError: 0, whatever the response says',
      'stale-if-error=7200',
      { staleWhileError: 0 },
      0,
      0,
    ],
    ['no time with maxStale: 0, whatever the response says', 'stale-if-error=7200', { maxStale: 0 }, 0, 0],
    [
      'staleWhileError with must-revalidate, whatever stale-if-error says',
      'stale-if-error=7200, must-revalidate',
      {},
      3_600_000,
      3_600_000,
    ],
  ])('serves stale for %s', (_, directives, options, stale, staleIfError) => {
    expect(lifetimes({ 'cache-control': `max-age=600, ${directives}` }, options)).toMatchObject({ stale, staleIfError })
  })

  it('keeps the lifetimes in order, and never refreshes before half of the fresh lifetime', () => {
    const durations = fc.nat(100_000_000)
    const options = fc.record({
      refreshEarly: durations,
      prefetchJitter: durations,
      staleWhileError: durations,
      maxStale: durations,
      minTtl: fc.integer({ min: 1_000, max: 100_000 }),
      maxTtl: fc.integer({ min: 100_000, max: 100_000_000 }),
      defaultTtl: fc.integer({ min: 1_000, max: 100_000_000 }),
      prefetch: fc.constantFrom('active' as const, 'always' as const, 'never' as const),
    })
    const cacheControls = fc.oneof(
      fc.constantFrom('', 'no-store', 'no-cache', 'immutable', 'must-revalidate', 'stale-if-error=1000'),
      fc.nat(200_000).map((seconds) => `max-age=${seconds}, stale-if-error=${seconds}`),
    )
    const random = fc.double({ min: 0, max: 0.999_999, noNaN: true })
    fc.assert(
      fc.property(cacheControls, options, random, (cacheControl, given, drawn) => {
        const { refreshAfter, freshFor, stale, staleIfError } = lifetimes(
          { 'cache-control': cacheControl },
          given,
          drawn,
        )
        expect(freshFor).toBeGreaterThanOrEqual(given.minTtl)
        expect(freshFor).toBeLessThanOrEqual(given.maxTtl)
        expect(refreshAfter).toBeGreaterThanOrEqual(freshFor / 2)
        expect(refreshAfter).toBeLessThanOrEqual(freshFor)
        expect(given.prefetch !== 'never' || refreshAfter === freshFor).toBe(true)
        expect(stale).toBeLessThanOrEqual(staleIfError)
        expect(staleIfError).toBeLessThanOrEqual(given.maxStale)
      }),
      { numRuns: 20_000 },
    )
  })
})

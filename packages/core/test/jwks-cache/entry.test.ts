import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { storedPolicy } from '../../src/http/freshness.ts'
import { entryTimes, type TtlOptions, timeToLive } from '../../src/jwks-cache/lifetimes.ts'
import { providerDefaults } from '../../src/registry/provider-options.ts'

const now = Date.UTC(2025, 0, 1)

function times(headers: Record<string, string>, options: Partial<TtlOptions> = {}, random = 0) {
  const policy = storedPolicy('https://issuer.example/jwks', headers, now)
  const entry = entryTimes(policy, now, { ...providerDefaults, prefetchJitter: 0, ...options }, random)
  return {
    fetchedAt: entry.fetchedAt - now,
    refreshAt: entry.refreshAt - now,
    freshUntil: entry.freshUntil - now,
    stale: entry.staleUntil - entry.freshUntil,
    staleIfError: entry.staleIfErrorUntil - entry.freshUntil,
  }
}

describe('timeToLive', () => {
  const bounds = { minTtl: 1_000, maxTtl: 10_000, defaultTtl: 5_000 }
  it.each([
    ['within bounds', 7_000, 7_000],
    ['too short', 10, 1_000],
    ['none left', 0, 1_000],
    ['negative', -50_000, 1_000],
    ['too long', 1_000_000, 10_000],
    ['not said', undefined, 5_000],
  ])('%s', (_, lifetime, ttl) => {
    expect(timeToLive({ lifetime, staleIfError: 0 }, bounds)).toBe(ttl)
  })

  it('clamps the default, too', () => {
    expect(timeToLive({ lifetime: undefined, staleIfError: 0 }, { ...bounds, defaultTtl: 60_000 })).toBe(10_000)
  })
})

describe('entryTimes', () => {
  it.each([
    ['max-age', { 'cache-control': 'max-age=600' }, 600_000],
    ['max-age less Age', { 'cache-control': 'max-age=600', age: '100' }, 500_000],
    ["Auth0's", { 'cache-control': 'max-age=15, stale-while-revalidate=15, stale-if-error=86400' }, 30_000],
    ['no-store', { 'cache-control': 'no-store, max-age=600' }, 30_000],
    ['no-cache', { 'cache-control': 'no-cache' }, 30_000],
    ['max-age=0', { 'cache-control': 'max-age=0' }, 30_000],
    ['nothing', {}, 600_000],
    ['a year-old Last-Modified alone', { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }, 600_000],
    ['a bare immutable', { 'cache-control': 'immutable' }, 600_000],
    ['a private one', { 'cache-control': 'private, max-age=300' }, 300_000],
    ['an s-maxage that is not for us', { 'cache-control': 's-maxage=9999, max-age=300' }, 300_000],
    ['Expires', { expires: 'Wed, 01 Jan 2025 01:00:00 GMT', date: 'Wed, 01 Jan 2025 00:00:00 GMT' }, 3_600_000],
    ['ten years', { 'cache-control': 'max-age=315360000' }, 86_400_000],
  ])('is fresh for as long as %s says, within bounds', (_, headers, freshUntil) => {
    expect(times(headers)).toMatchObject({ fetchedAt: 0, freshUntil })
  })

  it.each([
    ['takes the lead off the expiry', 600_000, {}, 0, 570_000],
    ['takes jitter off, too', 600_000, { prefetchJitter: 10_000 }, 0.5, 565_000],
    ['keeps to half of the time to live where the lead is longer', 40_000, {}, 0, 20_000],
    ['keeps to it with the longest jitter', 70_000, { prefetchJitter: 60_000 }, 0.999, 35_000],
    ['waits for the expiry without a lead', 600_000, { refreshEarly: 0 }, 0, 600_000],
    ["waits for the expiry with 'never'", 600_000, { prefetch: 'never' as const }, 0.5, 600_000],
  ])('%s', (_, ttl, options, random, refreshAt) => {
    expect(times({ 'cache-control': `max-age=${ttl / 1000}` }, options, random).refreshAt).toBe(refreshAt)
  })

  it.each([
    ["the operator's window", '', {}, 3_600_000, 3_600_000],
    ['a longer one of the response, for outages only', 'stale-if-error=7200', {}, 3_600_000, 7_200_000],
    ['a shorter one of the response changes nothing', 'stale-if-error=60', {}, 3_600_000, 3_600_000],
    ['the response up to maxStale', 'stale-if-error=999999', {}, 3_600_000, 86_400_000],
    ['maxStale over staleWhileError', 'stale-if-error=999999', { maxStale: 1_000 }, 1_000, 1_000],
    ['an explicit 0 is never lengthened', 'stale-if-error=7200', { staleWhileError: 0 }, 0, 0],
    ['a maxStale of 0 is never lengthened', 'stale-if-error=7200', { maxStale: 0 }, 0, 0],
    ['must-revalidate stops the lengthening', 'stale-if-error=7200, must-revalidate', {}, 3_600_000, 3_600_000],
  ])('serves stale for %s', (_, directives, options, stale, staleIfError) => {
    expect(times({ 'cache-control': `max-age=600, ${directives}` }, options)).toMatchObject({ stale, staleIfError })
  })

  it('orders the times, and never refreshes before half of the time to live', () => {
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
        const { refreshAt, freshUntil, stale, staleIfError } = times({ 'cache-control': cacheControl }, given, drawn)
        expect(freshUntil).toBeGreaterThanOrEqual(given.minTtl)
        expect(freshUntil).toBeLessThanOrEqual(given.maxTtl)
        expect(refreshAt).toBeGreaterThanOrEqual(freshUntil / 2)
        expect(refreshAt).toBeLessThanOrEqual(freshUntil)
        expect(given.prefetch !== 'never' || refreshAt === freshUntil).toBe(true)
        expect(stale).toBeLessThanOrEqual(staleIfError)
        expect(staleIfError).toBeLessThanOrEqual(given.maxStale)
      }),
      { numRuns: 20_000 },
    )
  })
})

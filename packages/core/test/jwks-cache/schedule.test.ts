import { describe, expect, it } from 'vitest'
import { type Scene, setScene } from './scene.ts'

const minute = 60_000
const hour = 60 * minute

/** Milliseconds between two requests after each other. */
function gaps({ issuer }: Scene): number[] {
  const times = issuer.requests.map(({ time }) => time)
  return times.slice(1).map((time, index) => time - (times[index] ?? 0))
}

describe('scheduled fetches', () => {
  it.each([
    ['no-cache', 'no-cache', {}, 15_000],
    ['no-store', 'no-store', {}, 15_000],
    ['max-age=0', 'max-age=0', {}, 15_000],
    ['an Age past max-age', 'max-age=60', {}, 15_000, '3600'],
    ["Auth0's 15 s", 'max-age=15, stale-while-revalidate=15, stale-if-error=86400', {}, 15_000],
    ['a time to live shorter than refreshEarly', 'max-age=100', { refreshEarly: 500_000 }, 50_000],
    ['a jitter longer than the time to live', 'max-age=100', { refreshEarly: 0, prefetchJitter: 500_000 }, 50_000],
    ['the shortest minTtl', 'max-age=0', { minTtl: 1_000 }, 500],
    ['a minTtl of two minutes', 'max-age=0', { minTtl: 2 * minute }, minute],
  ])(
    'are never closer than half of the time to live with %s',
    async (_, cacheControl, provider, shortest, age?: string) => {
      const scene = await setScene({ issuer: { cacheControl }, provider: { prefetch: 'always', ...provider } })
      if (age !== undefined) scene.issuer.setHeaders('jwks', { age })
      const span = shortest === 500 ? 2 * minute : 3 * hour
      await scene.pass(span, shortest / 2)
      expect(Math.min(...gaps(scene))).toBeGreaterThanOrEqual(shortest)
      expect(scene.issuer.requestCount('jwks')).toBeGreaterThan(span / shortest / 3)
    },
  )

  it.each([
    ["Auth0's", 'max-age=15, stale-while-revalidate=15, stale-if-error=86400', {}, 30_000],
    ['a year-old Last-Modified alone', undefined, { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' }, 600_000],
    ['a bare immutable', 'immutable', {}, 600_000],
    ['Age', 'max-age=600', { age: '100' }, 500_000],
    ["private and s-maxage, which are a shared cache's", 'private, max-age=300, s-maxage=9000', {}, 300_000],
  ])('follow the time to live of %s', async (_, cacheControl, headers, ttl) => {
    const { clock, issuer, resolve, status } = await setScene({ issuer: { cacheControl } })
    issuer.setHeaders('jwks', headers)
    await resolve()
    expect(Date.parse(status().expiresAt ?? '')).toBe(clock.now() + ttl)
  })

  it('forget the Age of the answer that a 304 confirms', async () => {
    const { clock, issuer, registry, resolve, status } = await setScene()
    issuer.setHeaders('jwks', { age: '500' })
    await resolve()
    expect(Date.parse(status().expiresAt ?? '')).toBe(clock.now() + 100_000)
    issuer.setHeaders('jwks', {})
    expect(await registry.refresh('acme', 'main')).toMatchObject({ modified: false })
    expect(Date.parse(status().expiresAt ?? '')).toBe(clock.now() + 600_000)
    issuer.setHeaders('jwks', { age: '200' })
    expect(await registry.refresh('acme', 'main')).toMatchObject({ modified: false })
    expect(Date.parse(status().expiresAt ?? '')).toBe(clock.now() + 400_000)
  })
})

describe('prefetch', () => {
  it("'active' refreshes ahead what is used, and sets no timer for what is not", async () => {
    const { clock, issuer, resolve, pass } = await setScene()
    expect(clock.pendingTimers).toBe(0)
    await resolve()
    expect(clock.pendingTimers).toBe(1)
    await pass(570_000)
    expect(issuer.requestCount('jwks')).toBe(2)
    // There was no request since: that was the last one.
    expect(clock.pendingTimers).toBe(0)
    await pass(24 * hour, hour)
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it("'active' goes on for as long as it is used once between two fetches", async () => {
    const { issuer, resolve, pass } = await setScene()
    for (let period = 0; period < 6; period += 1) {
      await resolve()
      await pass(570_000)
    }
    expect(issuer.requestCount('jwks')).toBe(7)
    expect(issuer.requests.map(({ time }) => time - (issuer.requests[0]?.time ?? 0))).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map((period) => period * 570_000),
    )
  })

  it("'always' fetches at registration and refreshes unused keys ahead", async () => {
    const { clock, issuer, pass } = await setScene({ provider: { prefetch: 'always' } })
    await issuer.waitForRequests(1, 'jwks')
    await pass(hour, minute / 2)
    expect(issuer.requestCount('jwks')).toBe(1 + Math.floor(hour / 570_000))
    expect(clock.pendingTimers).toBe(1)
  })

  it("'always' does not hammer a provider that is down from the beginning, whatever negativeCacheTtl", async () => {
    const scene = await setScene({ provider: { prefetch: 'always', negativeCacheTtl: 0 } })
    await scene.issuer.stop()
    await scene.pass(minute, 500)
    const fetches = scene.events.filter(({ type }) => type === 'fetch').length
    expect(fetches).toBeGreaterThan(10)
    expect(fetches).toBeLessThanOrEqual(61)
  })

  it("'never' waits for expiry and sets no timer", async () => {
    const { clock, issuer, resolve, pass } = await setScene({ provider: { prefetch: 'never' } })
    await resolve()
    expect(clock.pendingTimers).toBe(0)
    await pass(599_999)
    await resolve()
    expect(issuer.requestCount('jwks')).toBe(1)
    await pass(1)
    await resolve()
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('has no timer for a provider that is unregistered', async () => {
    const { clock, registry, resolve } = await setScene()
    await resolve()
    await registry.unregister('acme', 'main')
    expect(clock.pendingTimers).toBe(0)
  })

  it('has no timer after close', async () => {
    const { clock, registry, resolve } = await setScene()
    await resolve()
    expect(clock.pendingTimers).toBe(1)
    await registry.close()
    expect(clock.pendingTimers).toBe(0)
  })
})

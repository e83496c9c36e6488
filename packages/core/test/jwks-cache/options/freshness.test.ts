import { describe, expect, it } from 'vitest'
import type { ProviderRegistration } from '../../../src/index.ts'
import { nextEvent, provider, rejectionOf, setScene, tenant } from '../scene.ts'

/** Milliseconds until the next refresh and the ends of the two windows, after a first fetch. */
async function schedule(given: Partial<ProviderRegistration>, cacheControl: string | undefined = 'max-age=600') {
  const { clock, resolve, status } = await setScene({ issuer: { cacheControl }, provider: given })
  await resolve()
  const { nextRefresh, expiresAt, staleUntil } = status()
  const from = (time: string | undefined): number => Date.parse(time ?? '') - clock.now()
  return { nextRefresh: from(nextRefresh), expiresAt: from(expiresAt), staleUntil: from(staleUntil) }
}

describe('refreshEarly', () => {
  it('is the lead of the background refresh', async () => {
    expect(await schedule({})).toMatchObject({ nextRefresh: 570_000 })
    expect(await schedule({ refreshEarly: 100_000 })).toMatchObject({ nextRefresh: 500_000 })
    expect(await schedule({ refreshEarly: 0 })).toMatchObject({ nextRefresh: 600_000 })
  })

  it('has the provider asked that much earlier', async () => {
    const { clock, issuer, registry, resolve } = await setScene({ provider: { refreshEarly: 100_000 } })
    await resolve()
    await clock.advance(499_999)
    expect(issuer.requestCount('jwks')).toBe(1)
    const refreshed = nextEvent(registry, 'refresh')
    await clock.advance(1)
    expect(await refreshed).toMatchObject({ reason: 'due' })
  })
})

describe('prefetchJitter', () => {
  it('spreads the refreshes, earlier only', async () => {
    const drawn: number[] = []
    for (let draw = 0; draw < 8; draw += 1) drawn.push((await schedule({ prefetchJitter: 200_000 })).nextRefresh)
    for (const nextRefresh of drawn) {
      expect(nextRefresh).toBeGreaterThan(369_998)
      expect(nextRefresh).toBeLessThanOrEqual(570_000)
    }
    expect(new Set(drawn).size).toBeGreaterThan(1)
  })
})

describe('prefetch', () => {
  it.each([
    ['active', [0, 1, 2, 2]],
    ['always', [1, 1, 2, 3]],
    ['never', [0, 1, 1, 1]],
  ] as const)("'%s' decides who has the provider asked", async (prefetch, expected) => {
    const { issuer, resolve, pass } = await setScene({ provider: { prefetch } })
    await pass(1)
    const counts = [issuer.requestCount('jwks')]
    await resolve()
    counts.push(issuer.requestCount('jwks'))
    await pass(570_000)
    counts.push(issuer.requestCount('jwks'))
    await pass(570_000)
    counts.push(issuer.requestCount('jwks'))
    expect(counts).toEqual(expected)
  })
})

describe('minTtl', () => {
  it('bounds from below what a response says', async () => {
    expect(await schedule({}, 'max-age=1')).toMatchObject({ expiresAt: 30_000 })
    expect(await schedule({ minTtl: 90_000 }, 'max-age=1')).toMatchObject({ expiresAt: 90_000 })
    expect(await schedule({ minTtl: 1_000 }, 'no-store')).toMatchObject({ expiresAt: 1_000 })
  })
})

describe('maxTtl', () => {
  it('bounds from above what a response says', async () => {
    expect(await schedule({}, 'max-age=9999999')).toMatchObject({ expiresAt: 86_400_000 })
    expect(await schedule({ maxTtl: 60_000 }, 'max-age=600')).toMatchObject({ expiresAt: 60_000 })
  })
})

describe('defaultTtl', () => {
  it('counts where a response says nothing', async () => {
    expect(await schedule({}, 'public')).toMatchObject({ expiresAt: 600_000 })
    expect(await schedule({ defaultTtl: 120_000 }, 'public')).toMatchObject({ expiresAt: 120_000 })
    expect(await schedule({ defaultTtl: 120_000 })).toMatchObject({ expiresAt: 600_000 })
  })
})

describe('staleWhileError', () => {
  it.each([
    [3_600_000, undefined],
    [60_000, 60_000],
    [0, 0],
  ])('has keys serve for %d ms past expiry', async (window, staleWhileError) => {
    const { issuer, resolve, pass, registry, clock } = await setScene({ provider: { staleWhileError } })
    await resolve()
    const expiry = clock.now() + 600_000
    await issuer.stop()
    await pass(expiry - clock.now() - 1, 60_000)
    expect(await resolve()).toEqual(['key-1'])
    await pass(expiry + window - clock.now(), 60_000)
    await registry.refresh(tenant, provider)
    expect(await rejectionOf(resolve())).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
  })
})

describe('maxStale', () => {
  it('bounds staleWhileError', async () => {
    expect(await schedule({})).toMatchObject({ staleUntil: 4_200_000 })
    expect(await schedule({ maxStale: 5_000 })).toMatchObject({ staleUntil: 605_000 })
  })

  it.each([
    [7_200_000, undefined],
    [4_000_000, 4_000_000],
  ])("bounds a response's stale-if-error to %d ms", async (window, maxStale) => {
    const { clock, issuer, registry, resolve, status } = await setScene({
      issuer: { cacheControl: 'max-age=600, stale-if-error=7200' },
      provider: { maxStale },
    })
    await resolve()
    const expiry = clock.now() + 600_000
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    await registry.refresh(tenant, provider)
    expect(Date.parse(status().staleUntil ?? '')).toBe(expiry + window)
    issuer.answerAlways('jwks', { kind: 'reply', status: 404 })
    await registry.refresh(tenant, provider)
    expect(Date.parse(status().staleUntil ?? '')).toBe(expiry + 3_600_000)
  })
})

import { createManualClock, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { ProviderOptions } from '../../../src/index.ts'
import { provider, startIssuer, startProcess, startProcessWithKeys, tenant } from '../process.ts'

const start = createManualClock().now()
const MINUTE = 60_000

/** Milliseconds from the fetch to the moments of a status, in a process that has loaded what another one saved. */
async function timesAfterLoading(options: ProviderOptions, cacheControl = 'max-age=600') {
  const issuer = await startIssuer({ cacheControl })
  const registry = { store: memoryStore() }
  await startProcessWithKeys({ issuer, registry })
  const restarted = await startProcess({ issuer, registry, provider: options, now: start + 5_000 })
  const { lastRefresh, nextRefresh, expiresAt, staleUntil } = restarted.registry.status(tenant, provider)
  const from = (time: string | undefined): number => Date.parse(time ?? '') - start
  return [lastRefresh, nextRefresh, expiresAt, staleUntil].map(from)
}

describe('the times of loaded keys', () => {
  it('are those of the fetch: time without a running process counts', async () => {
    expect(await timesAfterLoading({})).toEqual([0, 570_000, 600_000, 4_200_000])
  })

  it.each<[ProviderOptions, readonly number[]]>([
    [{ maxTtl: 60_000 }, [0, 30_000, 60_000, 3_660_000]],
    [{ minTtl: 1_200_000 }, [0, 1_170_000, 1_200_000, 4_800_000]],
    [{ staleWhileError: 0 }, [0, 570_000, 600_000, 600_000]],
    [{ maxStale: 1_000 }, [0, 570_000, 600_000, 601_000]],
    [{ refreshEarly: 100_000 }, [0, 500_000, 600_000, 4_200_000]],
    [{ prefetch: 'never' }, [0, 600_000, 600_000, 4_200_000]],
  ])('are bounded by the options of today: %j', async (options, expected) => {
    expect(await timesAfterLoading(options)).toEqual(expected)
  })

  it('follow the default of today where the response said nothing', async () => {
    expect(await timesAfterLoading({ defaultTtl: 120_000 }, 'public')).toEqual([0, 90_000, 120_000, 3_720_000])
  })

  it('do not count the age twice that the response had', async () => {
    const issuer = await startIssuer()
    issuer.setHeaders('jwks', { Age: '100' })
    const registry = { store: memoryStore() }
    const before = await startProcessWithKeys({ issuer, registry })
    const after = await startProcess({ issuer, registry, now: start + MINUTE })
    expect(after.registry.status(tenant, provider).expiresAt).toBe('2025-01-01T00:08:20.000Z')
    expect(before.registry.status(tenant, provider).expiresAt).toBe('2025-01-01T00:08:20.000Z')
  })
})

describe('a snapshot that was fetched later than now', () => {
  it('is refused, and the provider asked', async () => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore() }
    await startProcessWithKeys({ issuer, registry, now: start + 5_001 })
    issuer.clearRequests()
    const { resolve, told } = await startProcess({ issuer, registry })
    expect(told('snapshot-refused')).toEqual([{ tenant, provider, reason: 'future' }])
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requestCount()).toBe(1)
  })

  it('is taken where clocks may just differ, as if fetched now', async () => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore() }
    await startProcessWithKeys({ issuer, registry, now: start + 5_000 })
    const { told, registry: restarted } = await startProcess({ issuer, registry })
    expect(told('snapshot-refused')).toEqual([])
    expect(restarted.status(tenant, provider)).toMatchObject({
      lastRefresh: '2025-01-01T00:00:00.000Z',
      expiresAt: '2025-01-01T00:10:00.000Z',
    })
  })
})

describe('a snapshot beside cached keys', () => {
  it('is taken when it is newer', async () => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore() }
    const first = await startProcessWithKeys({ issuer, registry })
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    const second = await startProcess({ issuer, registry, now: start + MINUTE })
    await second.registry.refresh(tenant, provider)
    await second.saved()

    await first.clock.advance(2 * MINUTE)
    expect(await first.registry.restore()).toMatchObject({ restored: [{ tenant, provider }] })
    expect(first.kids()).toEqual(['new'])
    expect([first.toldKids('key-added'), first.toldKids('key-removed')]).toEqual([['key-1', 'new'], ['key-1']])
  })

  it('is left when it is older', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    const { clock, registry, kids, told } = await startProcessWithKeys({ issuer, registry: { store } })
    const [older] = store.snapshots
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    await clock.advance(MINUTE)
    await registry.refresh(tenant, provider)
    await registry.persistAll()
    store.put({ tenant, provider }, older?.snapshot)
    expect(await registry.restore()).toMatchObject({ unchanged: [{ tenant, provider }] })
    expect(kids()).toEqual(['new'])
    expect(told('snapshot-loaded')).toEqual([])
  })
})

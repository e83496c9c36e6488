import { describe, expect, it } from 'vitest'
import { nextEvent, provider, rejectionOf, setScene, tenant } from './scene.ts'

describe('registry.refresh', () => {
  it('fetches although nothing is due, each time that it is called', async () => {
    const { issuer, registry, resolve } = await setScene()
    await resolve()
    for (const requests of [2, 3, 4]) {
      expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: true })
      expect(issuer.requestCount('jwks')).toBe(requests)
    }
  })

  it('says what the provider has changed', async () => {
    const { issuer, registry, resolve } = await setScene()
    await resolve()
    expect(await registry.refresh(tenant, provider)).toEqual({
      ok: true,
      modified: false,
      added: [],
      removed: [],
      changed: [],
    })
    await issuer.rotate({ keepPrevious: false })
    expect(await registry.refresh(tenant, provider)).toEqual({
      ok: true,
      modified: true,
      added: ['key-2'],
      removed: ['key-1'],
      changed: [],
    })
    await issuer.rotate({ kid: 'key-2' })
    expect(await registry.refresh(tenant, provider)).toMatchObject({ changed: ['key-2'] })
  })

  it('has caches on the way ask the origin', async () => {
    const { issuer, registry } = await setScene()
    await registry.refresh(tenant, provider)
    expect(issuer.requests[0]?.headers['cache-control']).toBe('no-cache')
  })

  it('shares one fetch among those who ask at the same time', async () => {
    const { issuer, registry } = await setScene()
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => registry.refresh(tenant, provider)))
    expect(new Set(outcomes.map(({ ok }) => ok))).toEqual(new Set([true]))
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('does not take the answer to an earlier question for its own', async () => {
    const { issuer, registry } = await setScene()
    const earlier = nextEvent(registry, 'fetch')
    issuer.answerOnce('jwks', { kind: 'normal', delay: 20 })
    const first = registry.resolve(tenant, provider)
    await earlier
    const outcomes = await Promise.all([registry.refresh(tenant, provider), registry.refresh(tenant, provider), first])
    expect(outcomes[0]).toMatchObject({ ok: true })
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('fetches in a backoff, too', async () => {
    const { clock, issuer, registry, resolve } = await setScene({ provider: { defaultTtl: 60_000 } })
    await resolve()
    await issuer.stop()
    expect(await registry.refresh(tenant, provider)).toMatchObject({
      ok: false,
      error: { code: 'ERR_UPSTREAM_UNREACHABLE' },
    })
    await issuer.start()
    expect(clock.now()).toBeLessThan(Date.parse(registry.status(tenant, provider).nextRefresh ?? ''))
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: true })
    expect(registry.status(tenant, provider)).toMatchObject({ health: 'fresh', errorCount: 0 })
  })

  it('rejects once the registry is closed', async () => {
    const { registry } = await setScene()
    await registry.close()
    expect(await rejectionOf(registry.refresh(tenant, provider))).toMatchObject({ code: 'ERR_REGISTRY_CLOSED' })
  })
})

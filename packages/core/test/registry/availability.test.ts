import { describe, expect, it } from 'vitest'
import type { ProviderOptions, RegistryOptions } from '../../src/index.ts'
import { provider, setScene, startAuthenticator, tenant, until } from '../jwks-cache/scene.ts'

const minute = 60_000

async function watchedScene(options: ProviderOptions = {}, registry: RegistryOptions = {}) {
  const scene = await setScene({ provider: { staleWhileError: minute, ...options }, registry })
  const changes: unknown[] = []
  for (const type of ['unavailable', 'recovered'] as const) {
    scene.registry.on(type, (event) => changes.push([type, event]))
  }
  const settled = () => until(() => !['loading', 'refreshing'].includes(scene.status().state))
  return { ...scene, changes, settled, authenticate: startAuthenticator(scene) }
}

const unavailable = ['unavailable', { tenant, provider }]
const recovered = ['recovered', { tenant, provider }]

describe('a provider that cannot serve requests', () => {
  it('is reported once after a first fetch that failed, and once when it serves again', async () => {
    const { changes, clock, issuer, registry } = await watchedScene()
    await issuer.stop()
    for (let round = 0; round < 3; round += 1) {
      await registry.refresh(tenant, provider)
      await clock.advance(minute)
    }
    expect(changes).toEqual([unavailable])
    await issuer.start()
    await registry.refresh(tenant, provider)
    await registry.refresh(tenant, provider)
    expect(changes).toEqual([unavailable, recovered])
  })

  it('is not reported while stale keys serve, and is when they run out without a request', async () => {
    const { changes, clock, issuer, resolve, status } = await watchedScene({ prefetch: 'never' })
    await resolve()
    await issuer.stop()
    await clock.advance(10 * minute)
    await resolve()
    expect(status()).toMatchObject({ state: 'ready', health: 'failing' })
    await clock.advance(minute - 1)
    expect(changes).toEqual([])
    await clock.advance(1)
    expect(status()).toMatchObject({ state: 'empty', health: 'unavailable', kids: [] })
    expect(changes).toEqual([unavailable])
  })

  it('is reported when a failed refresh leaves keys that may not serve', async () => {
    const { changes, clock, issuer, resolve } = await watchedScene({ prefetch: 'never', staleWhileError: 0 })
    await resolve()
    await issuer.stop()
    await clock.advance(10 * minute)
    // Without an attempt, it may well be able to serve.
    expect(changes).toEqual([])
    await expect(resolve()).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(changes).toEqual([unavailable])
  })

  it('is reported again with the next outage', async () => {
    const { changes, clock, issuer, registry, settled, resolve } = await watchedScene({ staleWhileError: 0 })
    for (let outage = 0; outage < 2; outage += 1) {
      await registry.refresh(tenant, provider)
      await issuer.stop()
      await clock.advance(11 * minute)
      await resolve().catch(() => undefined)
      await settled()
      await issuer.start()
    }
    await registry.refresh(tenant, provider)
    expect(changes).toEqual([unavailable, recovered, unavailable, recovered])
  })

  it('is not reported for a failed refetch of an unknown kid, while its keys serve', async () => {
    const { changes, issuer, resolve, status } = await watchedScene()
    await resolve()
    await issuer.stop()
    await expect(resolve('unknown')).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(status()).toMatchObject({ health: 'fresh', errorCount: 0, lastError: { code: 'ERR_UPSTREAM_UNREACHABLE' } })
    expect(changes).toEqual([])
  })

  it('is reported as recovered once a wall clock that was ahead is put right', async () => {
    const { authenticate, changes, clock, issuer, resolve, settled } = await watchedScene({ prefetch: 'never' })
    const token = await issuer.sign()
    await resolve()
    await issuer.stop()
    const start = clock.now()
    clock.set(start + 12 * minute)
    await resolve().catch(() => undefined)
    await settled()
    expect(changes).toEqual([unavailable])
    clock.set(start)
    expect(await authenticate(token)).toMatchObject({ ok: true })
    expect(changes).toEqual([unavailable, recovered])
  })

  it('is no longer watched once it is unregistered or the registry closed', async () => {
    for (const end of ['unregister', 'close'] as const) {
      const { changes, clock, issuer, registry, resolve } = await watchedScene({ prefetch: 'never' })
      await resolve()
      await issuer.stop()
      await clock.advance(10 * minute)
      await resolve()
      if (end === 'close') await registry.close()
      else await registry.unregister(tenant, provider)
      expect(clock.pendingTimers).toBe(0)
      await clock.advance(2 * minute)
      expect(changes).toEqual([])
    }
  })

  it('is not watched by a timer while it is healthy', async () => {
    const { clock, resolve } = await watchedScene({ prefetch: 'never' })
    await resolve()
    expect(clock.pendingTimers).toBe(0)
  })
})

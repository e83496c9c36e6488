import { createManualClock, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createAuthenticator } from '../../../src/index.ts'
import {
  closeAfterwards,
  integrityKey,
  provider,
  settle,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
} from '../process.ts'

const start = createManualClock().now()
const MINUTE = 60_000
const HOUR = 3_600_000

describe('a restart with a warm store', () => {
  it('serves the first request while the provider is down, without a fetch', async () => {
    const issuer = await startIssuer()
    const registry = { publicKeyPath: temporaryDirectory(), integrityKey }
    const before = await startProcessWithKeys({ issuer, registry })
    await before.registry.close()
    await issuer.stop()
    issuer.clearRequests()

    const after = await startProcess({ issuer, registry, now: start + MINUTE })
    expect(after.kids()).toEqual(['key-1'])
    expect(await after.verdict(await issuer.sign())).toBe('accepted')
    expect(issuer.requestCount()).toBe(0)
    expect(after.told('snapshot-loaded')).toEqual([{ tenant, provider }])
    expect(after.told('fetch')).toEqual([])
    expect(after.registry.status(tenant, provider)).toMatchObject({
      health: 'fresh',
      source: 'store',
      store: 'ready',
      lastRefresh: '2025-01-01T00:00:00.000Z',
      expiresAt: '2025-01-01T00:10:00.000Z',
      hitRate: 1,
    })
  })

  it('serves the first request of an authenticator that was made just now', async () => {
    const issuer = await startIssuer()
    const options = {
      issuer: issuer.issuer,
      jwksUri: issuer.jwksUri,
      audience: 'api',
      requireHttps: false,
      publicKeyPath: temporaryDirectory(),
      integrityKey,
      clock: createManualClock(),
    }
    const headers = { authorization: `Bearer ${await issuer.sign()}` }
    const before = createAuthenticator(options)
    closeAfterwards(before)
    expect(await before.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({ ok: true })
    await before.close()
    await issuer.stop()
    issuer.clearRequests()

    const after = createAuthenticator(options)
    closeAfterwards(after)
    expect(await after.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({ ok: true })
    expect(issuer.requestCount()).toBe(0)
  })

  it('does not fetch before the keys are due with prefetch always either', async () => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore() }
    await startProcessWithKeys({ issuer, registry })
    issuer.clearRequests()
    const { clock } = await startProcess({ issuer, registry, provider: { prefetch: 'always' }, now: start + MINUTE })
    await clock.advance(9 * MINUTE - 30_001)
    await settle()
    expect(issuer.requestCount()).toBe(0)
    await clock.advance(1)
    await issuer.waitForRequests(1, 'jwks')
  })

  it('refreshes ahead of expiry what it has loaded and used', async () => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore() }
    await startProcessWithKeys({ issuer, registry })
    issuer.clearRequests()
    const { clock, resolve } = await startProcess({ issuer, registry, now: start + MINUTE })
    await resolve()
    await clock.advance(9 * MINUTE - 30_001)
    expect(issuer.requestCount()).toBe(0)
    await clock.advance(1)
    await issuer.waitForRequests(1, 'jwks')
  })

  it('needs no discovery where the URI of the keys is discovered', async () => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore(), integrityKey }
    const ofProvider = { jwksUri: undefined }
    await startProcessWithKeys({ issuer, registry, provider: ofProvider })
    await issuer.stop()
    issuer.clearRequests()
    const { resolve } = await startProcess({ issuer, registry, provider: ofProvider, now: start + MINUTE })
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requestCount()).toBe(0)
  })

  it('has keys again from the store that were dropped from memory', async () => {
    const issuer = await startIssuer()
    const { registry, resolve, told } = await startProcessWithKeys({
      issuer,
      registry: { store: memoryStore(), maxProviders: 1 },
    })
    await registry.register({ tenant, provider: 'other', jwksUri: issuer.jwksUri, network: 'any' })
    await registry.resolve(tenant, 'other')
    expect(told('evicted')).toEqual([{ tenant, provider }])
    issuer.clearRequests()
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requestCount()).toBe(0)
  })
})

describe('a restart after two hours, with keys for one hour and ten minutes of grace', () => {
  const ofProvider = { staleWhileError: 10 * MINUTE }

  async function afterDowntime(downtime: number) {
    const issuer = await startIssuer({ cacheControl: 'max-age=3600' })
    const registry = { store: memoryStore(), integrityKey }
    await startProcessWithKeys({ issuer, registry, provider: ofProvider })
    await issuer.stop()
    issuer.clearRequests()
    const restarted = await startProcess({ issuer, registry, provider: ofProvider, now: start + downtime })
    return { ...restarted, issuer }
  }

  it('serves nothing while the provider is down', async () => {
    const { resolve, told } = await afterDowntime(2 * HOUR)
    await expect(resolve()).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(told('fetch')).toEqual([{ tenant, provider, reason: 'due' }])
  })

  it('serves again once the provider is back', async () => {
    const { clock, issuer, resolve } = await afterDowntime(2 * HOUR)
    await expect(resolve()).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    await issuer.start()
    await clock.advance(2_000)
    expect(await resolve()).toEqual(['key-1'])
  })

  it('serves to the last moment of the hour, without asking first', async () => {
    const { resolve, told } = await afterDowntime(HOUR - 1)
    expect(await resolve()).toEqual(['key-1'])
    expect(told('stale')).toEqual([])
  })

  it.each([HOUR, HOUR + 10 * MINUTE - 1])(
    'serves stale keys %d ms after the fetch, once a refresh has failed',
    async (downtime) => {
      const { registry, resolve, told } = await afterDowntime(downtime)
      expect(await resolve()).toEqual(['key-1'])
      expect(await resolve()).toEqual(['key-1'])
      expect(told('fetch')).toEqual([{ tenant, provider, reason: 'due' }])
      expect(told('stale')).toEqual([{ tenant, provider }])
      expect(registry.status(tenant, provider)).toMatchObject({ health: 'failing', source: 'store' })
    },
  )

  it('serves nothing once the ten minutes are over', async () => {
    const { resolve } = await afterDowntime(HOUR + 10 * MINUTE)
    await expect(resolve()).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
  })
})

describe('an expired snapshot', () => {
  it.each([HOUR, 48 * HOUR])('spares the provider the body %d ms later: a 304 revives it', async (downtime) => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore() }
    await startProcessWithKeys({ issuer, registry })
    issuer.clearRequests()
    const { resolve, told } = await startProcess({ issuer, registry, now: start + downtime })
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requests).toHaveLength(1)
    expect(issuer.requests[0]?.headers['if-none-match']).toBeDefined()
    expect(told('refresh')).toMatchObject([{ reason: 'due', modified: false }])
  })

  it('gives way to what the provider has now', async () => {
    const issuer = await startIssuer()
    const registry = { store: memoryStore() }
    await startProcessWithKeys({ issuer, registry })
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    const { resolve, toldKids } = await startProcess({ issuer, registry, now: start + HOUR })
    expect(await resolve()).toEqual(['new'])
    expect([toldKids('key-added'), toldKids('key-removed')]).toEqual([['new'], ['key-1']])
  })
})

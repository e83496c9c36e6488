import { readdirSync } from 'node:fs'
import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createRegistry } from '../../../src/index.ts'
import { startProcess, startProcessWithKeys } from '../../registry/process.ts'
import { temporaryDirectory } from '../../stores/store-scene.ts'
import { closeAfterwards, provider, rejectionOf, setScene, tenant, until } from '../scene.ts'

describe('store', () => {
  it('is where keys are written and read', async () => {
    const store = memoryStore()
    const { issuer, resolve } = await setScene({ registry: { store } })
    await resolve()
    await until(() => store.snapshots.length === 1)
    const registry = createRegistry({ store, requireHttps: false })
    closeAfterwards(registry)
    await registry.register({ tenant, provider: 'other', jwksUri: issuer.jwksUri, network: 'any' })
    expect(store.calls.map(({ method, key }) => `${method} ${key.provider}`)).toContain('load other')
  })

  it('is none where it is not given', async () => {
    const { resolve, status } = await setScene({})
    await resolve()
    expect(status()).toMatchObject({ store: 'none', source: 'upstream' })
  })

  it('must have its three methods', () => {
    expect(() => createRegistry({ store: { ...memoryStore(), delete: undefined } as never })).toThrow('store.delete')
  })
})

describe('publicKeyPath', () => {
  it('is a directory that keys are written to', async () => {
    const publicKeyPath = temporaryDirectory()
    const { resolve } = await setScene({ registry: { publicKeyPath } })
    await resolve()
    const files = (): readonly string[] => readdirSync(publicKeyPath).filter((name) => name.endsWith('.json'))
    await until(() => files().length > 0)
    expect(files()).toHaveLength(1)
  })

  it('cannot be set beside store', () => {
    const options = { publicKeyPath: temporaryDirectory(), store: memoryStore() }
    expect(() => createRegistry(options)).toThrow(/^publicKeyPath cannot be set beside store/)
  })
})

describe('storeTimeout', () => {
  it.each([
    [250, undefined],
    [40, 40],
  ])('has a request wait %d ms for the store and no longer', async (longest, storeTimeout) => {
    const store = memoryStore()
    store.hang()
    const { clock, issuer, registry } = await setScene({ provider: { prefetch: 'never' } })
    const other = createRegistry({ store, storeTimeout, clock, requireHttps: false })
    closeAfterwards(other)
    await registry.unregister(tenant, provider)
    void other.register({ tenant, provider, jwksUri: issuer.jwksUri, network: 'any' })
    const resolved = other.resolve(tenant, provider)
    await clock.advance(longest - 1)
    expect(issuer.requestCount()).toBe(0)
    await clock.advance(1)
    expect((await resolved).keys).toHaveLength(1)
  })
})

describe('integrityKey', () => {
  it('signs what is saved, and verifies what is loaded', async () => {
    const store = memoryStore()
    const { issuer, resolve } = await setScene({ registry: { store, integrityKey: 'k'.repeat(32) } })
    await resolve()
    await until(() => store.snapshots.length === 1)
    expect(store.snapshots[0]?.snapshot).toMatchObject({ integrity: expect.stringMatching(/^hmac-sha256:/) })
    const other = await startProcess({ issuer, registry: { store, integrityKey: 'l'.repeat(32) } })
    expect(other.told('snapshot-refused')).toMatchObject([{ reason: 'integrity' }])
  })

  it('is required with a store that is shared', () => {
    expect(() => createRegistry({ store: { ...memoryStore(), isShared: true } })).toThrow('integrityKey is required')
  })
})

describe('keyLifetime', () => {
  it("'immutable' keeps the keys that were learned, permanently and unchanged", async () => {
    const { clock, issuer, resolve, status } = await setScene({ provider: { keyLifetime: 'immutable' } })
    await resolve()
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    await clock.advance(315_360_000_000)
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(1)
    expect(await resolve('new')).toEqual(['key-1', 'new'])
    expect(status().expiresAt).toBeUndefined()
  })

  it("is 'http' where it is not given: keys expire, and go when they are withdrawn", async () => {
    const { clock, issuer, resolve } = await setScene({})
    await resolve()
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    await clock.advance(600_000)
    expect(await resolve()).toEqual(['new'])
  })

  it('takes nothing else', async () => {
    expect(await rejectionOf(setScene({ provider: { keyLifetime: 'forever' as never } }))).toMatchObject({
      message: expect.stringContaining('keyLifetime'),
    })
  })

  it('lives on in the store, where there is one', async () => {
    const { issuer } = await setScene({})
    const scene = { issuer, registry: { store: memoryStore() }, provider: { keyLifetime: 'immutable' } } as const
    const first = await startProcessWithKeys(scene)
    await issuer.stop()
    const next = await startProcess({ ...scene, now: first.clock.now() + 315_360_000_000 })
    expect(await next.resolve()).toEqual(['key-1'])
  })
})

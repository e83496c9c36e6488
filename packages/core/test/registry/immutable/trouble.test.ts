import { describe, expect, it } from 'vitest'
import { key, provider, registrationOf, rejectionOf, settle, startProcess, tenant, until } from '../process.ts'
import { immutable, setImmutableScene } from './immutable.ts'

const others = ['b', 'c']

describe('a cold start', () => {
  it('with the provider down is a KeysUnavailableError, and later learns the keys', async () => {
    const { issuer, start } = await setImmutableScene()
    await issuer.stop()
    const { clock, resolve, verdict, registry } = await start()
    expect(await rejectionOf(resolve())).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(await verdict(await issuer.sign())).toBe('ERR_KEYS_UNAVAILABLE')
    expect(registry.status(tenant, provider)).toMatchObject({ state: 'empty', health: 'unavailable' })
    await issuer.start()
    await clock.advance(1_000)
    expect(await verdict(await issuer.sign())).toBe('accepted')
    await settle()
    expect((await start()).kids()).toEqual(['key-1'])
  })

  it('with the store failing asks the provider, and saves when the store returns', async () => {
    const { issuer, store, start } = await setImmutableScene()
    store.fail()
    const { clock, verdict, told } = await start()
    expect(await verdict(await issuer.sign())).toBe('accepted')
    expect(told('store-failed').length).toBeGreaterThan(0)
    store.recover()
    await clock.advance(5_000)
    await until(() => told('snapshot-saved').length > 0)
    expect((await start()).kids()).toEqual(['key-1'])
  })

  it('with a store that hangs waits for storeTimeout once, and then asks the provider', async () => {
    const { issuer, store, start } = await setImmutableScene()
    await start()
    store.hang()
    const { clock, verdict } = await startProcess({
      issuer,
      registry: { store, storeTimeout: 100 },
      provider: immutable,
      isImpatient: true,
    })
    const accepted = verdict(await issuer.sign())
    await settle()
    expect(issuer.requestCount()).toBe(0)
    await clock.advance(100)
    expect(await accepted).toBe('accepted')
    expect(issuer.requestCount()).toBe(1)
  })

  it('with a store that is slow takes its keys, however many requests wait', async () => {
    const { issuer, store, startWithKeys } = await setImmutableScene()
    await startWithKeys()
    issuer.clearRequests()
    store.hang()
    const second = await startProcess({ issuer, registry: { store }, provider: immutable, isImpatient: true })
    const token = await issuer.sign()
    const verdicts = Promise.all(Array.from({ length: 50 }, () => second.verdict(token)))
    await settle()
    store.recover()
    expect(new Set(await verdicts)).toEqual(new Set(['accepted']))
    expect(issuer.requestCount()).toBe(0)
  })

  it('with both down is a 503, and the store alone heals it', async () => {
    const { issuer, store, start, startWithKeys } = await setImmutableScene()
    await startWithKeys()
    await issuer.stop()
    store.fail()
    const { clock, verdict, told } = await start()
    expect(await verdict(await issuer.sign())).toBe('ERR_KEYS_UNAVAILABLE')
    store.recover()
    await clock.advance(5_000)
    await until(() => told('store-recovered').length > 0)
    expect(await verdict(await issuer.sign())).toBe('accepted')
  })
})

describe('a store that can be written and not be read', () => {
  it('is not written over, for other processes may have keys there; once it can be read, both are in it', async () => {
    const { issuer, store, start, startWithKeys } = await setImmutableScene(2)
    await startWithKeys()
    issuer.removeKey('key-2')
    await issuer.addKey()
    let isReadable = false
    const load: typeof store.load = async (of) => {
      if (!isReadable) throw new Error('it cannot be read')
      return await store.load(of)
    }
    const half = { load, save: store.save, delete: store.delete }
    const second = await startProcess({ issuer, registry: { store: half }, provider: immutable })
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    await settle()
    expect((await start()).kids()).toEqual(['key-1', 'key-2'])
    await second.clock.advance(20_000)
    await settle()
    expect((await start()).kids()).toEqual(['key-1', 'key-2'])
    isReadable = true
    await second.clock.advance(5_000)
    await until(() => second.told('snapshot-saved').length > 0)
    expect((await start()).kids().toSorted()).toEqual(['key-1', 'key-2', 'key-3'])
  })
})

describe('more key sets than maxProviders', () => {
  it('are loaded from the store when they are used next, without a request', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { registry, told, kids } = await startWithKeys({}, { maxProviders: 1 })
    for (const name of others) await registry.register(registrationOf(issuer, { ...immutable, provider: name }))
    for (const name of others) await registry.resolve(tenant, name)
    await registry.persistAll()
    expect(told('evicted')).toEqual([key, { tenant, provider: 'b' }])
    expect(kids()).toEqual([])
    issuer.clearRequests()
    for (const name of [provider, ...others, provider, provider]) {
      expect((await registry.resolve(tenant, name, 'key-1')).keys).toHaveLength(1)
    }
    expect(issuer.requestCount()).toBe(0)
  })

  it('are not dropped before they are written down', async () => {
    const { issuer, start, store } = await setImmutableScene()
    const { clock, registry, resolve } = await start({}, { maxProviders: 1 })
    await registry.register(registrationOf(issuer, { ...immutable, provider: 'b' }))
    store.delay(100, clock)
    const resolved = Promise.all([resolve(), registry.resolve(tenant, 'b')])
    for (let step = 0; step < 30; step += 1) {
      await clock.advance(50)
      await settle(5)
    }
    await resolved
    expect(store.snapshots.map(({ key: of }) => of.provider).toSorted()).toEqual(['b', provider])
    expect(registry.statuses().filter(({ state }) => state === 'ready')).toHaveLength(1)
  })
})

describe("prefetch: 'always'", () => {
  it('does not fetch where the store has the keys', async () => {
    const { issuer, start, startWithKeys } = await setImmutableScene()
    await startWithKeys()
    issuer.clearRequests()
    const { kids, clock } = await start({ prefetch: 'always' })
    await clock.advance(3_600_000)
    await settle()
    expect(kids()).toEqual(['key-1'])
    expect(issuer.requestCount()).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('fetches at registration where it has none, and then never again', async () => {
    const { issuer, start } = await setImmutableScene()
    const { kids, clock } = await start({ prefetch: 'always' })
    await until(() => kids().length > 0)
    await clock.advance(366 * 24 * 3_600_000)
    await settle()
    expect(issuer.requestCount()).toBe(1)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('unregister', () => {
  it('deletes the keys from the store', async () => {
    const { start, startWithKeys, store } = await setImmutableScene()
    const { registry } = await startWithKeys()
    expect(await registry.unregister(tenant, provider)).toBe(true)
    expect(store.snapshots).toEqual([])
    expect((await start()).kids()).toEqual([])
  })
})

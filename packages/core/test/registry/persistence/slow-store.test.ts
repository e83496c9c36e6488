import { createManualClock, memoryStore, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import {
  integrityKey,
  key,
  provider,
  registrationOf,
  rejectionOf,
  settle,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  tenant,
  until,
} from '../process.ts'
import { registryOn } from './registry-on.ts'

/** A registry that has begun to register, on a store that takes a while; the store has keys already. */
async function coldStart({
  delay,
  storeTimeout,
}: {
  readonly delay: number | 'for ever'
  readonly storeTimeout?: number
}) {
  const issuer = await startIssuer()
  const store = memoryStore()
  const before = await startProcessWithKeys({ issuer, registry: { store, integrityKey } })
  await before.registry.close()
  issuer.clearRequests()
  const scene = registryOn({ store, integrityKey, storeTimeout })
  if (delay === 'for ever') store.hang()
  else store.delay(delay, scene.clock)
  return { issuer, store, ...scene, registered: scene.registry.register(registrationOf(issuer)) }
}

/** Holds all answers until they are released. */
function holdAnswers(issuer: TestIssuer): () => void {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  issuer.answerAlways('jwks', async () => {
    await released
    return { kind: 'normal' }
  })
  return () => release()
}

/** What has become of a promise by now. */
function watch(promise: Promise<unknown>): () => 'pending' | 'settled' {
  let state: 'pending' | 'settled' = 'pending'
  const settled = (): void => {
    state = 'settled'
  }
  promise.then(settled, settled)
  return () => state
}

describe('a store that answers in time', () => {
  it('is waited for, and the provider not asked', async () => {
    const { clock, issuer, registry, registered } = await coldStart({ delay: 120 })
    const resolved = registry.resolve(tenant, provider)
    // Revocations are read first, then the keys.
    await clock.advance(240)
    await registered
    expect((await resolved).keys).toHaveLength(1)
    expect(issuer.requestCount()).toBe(0)
    expect(registry.status(tenant, provider)).toMatchObject({ source: 'store', store: 'ready' })
  })
})

describe('a store slower than storeTimeout', () => {
  it('has the fetch begun beside it, and serves if it comes first', async () => {
    const { clock, issuer, registry } = await coldStart({ delay: 200 })
    const release = holdAnswers(issuer)
    const resolved = registry.resolve(tenant, provider)
    await clock.advance(249)
    await settle()
    expect(issuer.requestCount()).toBe(0)
    await clock.advance(1)
    await issuer.waitForRequests(1, 'jwks')
    const state = watch(resolved)
    await clock.advance(149)
    expect(state()).toBe('pending')
    await clock.advance(1)
    expect((await resolved).keys).toHaveLength(1)
    expect(registry.status(tenant, provider)).toMatchObject({ state: 'refreshing', source: 'store' })
    release()
    await until(() => registry.status(tenant, provider).state === 'ready')
    expect(registry.status(tenant, provider).source).toBe('upstream')
  })

  it('is not waited for where the fetch comes first, and changes nothing after', async () => {
    const { clock, issuer, registry, told } = await coldStart({ delay: 2_000 })
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    const resolved = registry.resolve(tenant, provider)
    await clock.advance(250)
    const { keys } = await resolved
    expect(keys.map(({ kid }) => kid)).toEqual(['new'])
    await clock.advance(30_000)
    await settle()
    expect(told('snapshot-loaded')).toEqual([])
    expect(registry.status(tenant, provider)).toMatchObject({ kids: ['new'], source: 'upstream' })
  })

  it('is not waited for past the end of the registration either', async () => {
    const { clock, registered } = await coldStart({ delay: 'for ever' })
    const state = watch(registered)
    await clock.advance(249)
    expect(state()).toBe('pending')
    await clock.advance(1)
    expect(state()).toBe('settled')
  })

  it('serves, late, what serves when the provider is down', async () => {
    const { clock, issuer, registry } = await coldStart({ delay: 1_000 })
    await issuer.stop()
    const refused = rejectionOf(registry.resolve(tenant, provider))
    await clock.advance(250)
    expect(await refused).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    await clock.advance(1_750)
    await settle()
    expect((await registry.resolve(tenant, provider)).keys).toHaveLength(1)
  })

  it('causes no storm: events and operations stay few, whatever is held', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    const { registry, clock, types } = registryOn({ store, integrityKey })
    for (let index = 0; index < 20; index += 1) {
      await registry.register({ ...registrationOf(issuer), provider: `p${index}` })
      await registry.resolve(tenant, `p${index}`)
    }
    await settle()
    store.delay(300, clock)
    const [calls, events] = [store.calls.length, types().length]
    await clock.advance(570_000)
    for (let index = 0; index < 20; index += 1) await registry.resolve(tenant, `p${index}`)
    for (let step = 0; step < 1_200; step += 1) {
      await clock.advance(50)
      await settle(4)
    }
    // One failure for all that began together, a few while what was fetched is written, then one every five seconds.
    const told = types().slice(events)
    expect(told.filter((type) => type === 'store-failed').length).toBeLessThanOrEqual(40)
    expect(told.filter((type) => type === 'store-recovered').length).toBeLessThanOrEqual(20)
    expect(told.slice(-9)).toEqual(Array(9).fill('store-failed'))
    expect(told.filter((type) => type === 'snapshot-saved')).toHaveLength(20)
    expect(store.calls.length - calls).toBeLessThanOrEqual(300)
  })
})

describe('a store that hangs', () => {
  it('costs one request storeTimeout, once', async () => {
    const { clock, issuer, registry, registered, told } = await coldStart({ delay: 'for ever' })
    const first = registry.resolve(tenant, provider)
    const state = watch(first)
    await clock.advance(249)
    await settle()
    expect([state(), issuer.requestCount()]).toEqual(['pending', 0])
    await clock.advance(1)
    await first
    await registered
    expect(told('store-failed')).toMatchObject([{ ...key, operation: 'load', error: { code: 'ERR_STORE_FAILED' } }])

    // From here on time stands still: no request waits for the store.
    await registry.register({ ...registrationOf(issuer), tenant: 'globex' })
    await registry.resolve('globex', provider)
    await registry.refresh(tenant, provider)
    await expect(registry.resolve(tenant, provider, 'unknown')).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    expect(registry.status(tenant, provider)).toMatchObject({ store: 'failing', health: 'fresh' })
  })

  it('is not waited for again by the first request after a registration that was waited for', async () => {
    const { clock, registry, registered } = await coldStart({ delay: 'for ever' })
    await clock.advance(250)
    await registered
    await settle()
    // Time stands still from here on.
    expect((await registry.resolve(tenant, provider)).keys).toHaveLength(1)
  })

  it('has its timeout from storeTimeout', async () => {
    const { clock, issuer, registry } = await coldStart({ delay: 'for ever', storeTimeout: 1_000 })
    const resolved = registry.resolve(tenant, provider)
    await clock.advance(999)
    await settle()
    expect(issuer.requestCount()).toBe(0)
    await clock.advance(1)
    await resolved
  })

  it('is asked again after 1 s, then ever more rarely, down to every 5 s', async () => {
    const { clock, store, told } = await coldStart({ delay: 'for ever' })
    const times: number[] = []
    const start = createManualClock().now()
    let known = store.calls.length
    for (let passed = 0; passed < 30_000; passed += 50) {
      await clock.advance(50)
      await settle(4)
      if (store.calls.length > known) times.push(clock.now() - start)
      known = store.calls.length
    }
    // At 250 ms it failed for the first time; each question fails after another 250 ms.
    expect(times).toEqual([1_250, 3_500, 7_750, 13_000, 18_250, 23_500, 28_750])
    expect(told('store-failed')).toHaveLength(8)
    expect(told('store-recovered')).toEqual([])
  })

  it('has what was fetched meanwhile written when it returns', async () => {
    const { clock, issuer, store, registry, told } = await coldStart({ delay: 'for ever' })
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    const resolved = registry.resolve(tenant, provider)
    await clock.advance(1_000)
    await resolved
    await settle()
    store.recover()
    await clock.advance(10_000)
    await until(() => told('snapshot-saved').length > 0)
    expect(told('store-recovered')).toContainEqual({ ...key, operation: 'load' })
    expect(registry.status(tenant, provider).store).toBe('ready')
    await registry.close()
    const restarted = await startProcess({ issuer, registry: { store, integrityKey }, now: clock.now() })
    expect(restarted.kids()).toEqual(['new'])
  })

  it('does not keep the registry from closing', async () => {
    const { clock, registry, registered } = await coldStart({ delay: 'for ever' })
    await clock.advance(250)
    await registered
    await settle()
    await registry.resolve(tenant, provider)
    const began = performance.now()
    await registry.close()
    expect(performance.now() - began).toBeLessThan(3_000)
  })
})

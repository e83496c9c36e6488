import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { SnapshotStore } from '../../../src/index.ts'
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

/** Keys of one issuer under several names, all held. */
async function held(store: SnapshotStore | undefined, names: readonly string[]) {
  const issuer = await startIssuer()
  const scene = registryOn({ store, ...(store && { integrityKey }) })
  await Promise.all(
    names.map(async (name) => {
      await scene.registry.register({ ...registrationOf(issuer), tenant: name })
      await scene.registry.resolve(name, provider)
    }),
  )
  return { issuer, ...scene }
}

/** A store that counts how many calls are under way at once. */
function countingStore() {
  const kept = memoryStore()
  let [underWay, most] = [0, 0]
  async function counted<Value>(work: () => Promise<Value>): Promise<Value> {
    underWay += 1
    most = Math.max(most, underWay)
    await new Promise((resolve) => setImmediate(resolve))
    underWay -= 1
    return await work()
  }
  const store: SnapshotStore = {
    load: (of) => counted(() => kept.load(of)),
    save: (of, snapshot) => counted(() => kept.save(of, snapshot)),
    delete: (of) => counted(() => kept.delete(of)),
  }
  const reset = (): void => {
    most = 0
  }
  return { store, kept, most: () => most, reset }
}

describe('persistAll', () => {
  it('does nothing without a store', async () => {
    const { registry } = await held(undefined, ['a'])
    expect(await registry.persistAll()).toBeUndefined()
  })

  it('settles when everything that is held is in the store', async () => {
    const store = memoryStore()
    const { registry } = await held(store, ['a', 'b', 'c'])
    await registry.persistAll()
    expect(store.snapshots.map(({ key: { tenant: of } }) => of).toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('writes again what was lost', async () => {
    const store = memoryStore()
    const { registry, told } = await held(store, ['a'])
    await until(() => told('snapshot-saved').length === 1)
    await store.delete({ tenant: 'a', provider })
    await registry.persistAll()
    expect(store.snapshots).toHaveLength(1)
  })

  it('writes nothing for providers that hold nothing', async () => {
    const store = memoryStore()
    const issuer = await startIssuer()
    const { registry } = registryOn({ store, integrityKey })
    await registry.register(registrationOf(issuer))
    await registry.persistAll()
    expect(store.snapshots).toEqual([])
  })

  it('rejects where something could not be written, and says how much', async () => {
    const store = memoryStore()
    const { registry } = await held(store, ['a', 'b'])
    await settle()
    store.fail()
    expect(await rejectionOf(registry.persistAll())).toMatchObject({
      name: 'StoreFailedError',
      code: 'ERR_STORE_FAILED',
      message: expect.stringContaining('2 of 2'),
    })
  })

  it('has a bounded number of writes under way', async () => {
    const { store, kept, most, reset } = countingStore()
    const { registry } = await held(
      store,
      Array.from({ length: 100 }, (_, index) => `t${index}`),
    )
    await registry.persistAll()
    reset()
    await registry.persistAll()
    expect(most()).toBeLessThanOrEqual(32)
    expect(kept.snapshots).toHaveLength(100)
  })

  it('does not replace what another process has written with what is older', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    const registry = { store, integrityKey }
    const idle = await startProcessWithKeys({ issuer, registry })
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    const busy = await startProcess({ issuer, registry, now: idle.clock.now() + 600_000 })
    await busy.resolve()
    await busy.saved()
    await idle.clock.advance(601_000)
    await idle.registry.persistAll()
    const next = await startProcess({ issuer, registry, now: busy.clock.now() })
    expect(next.kids()).toEqual(['new'])
  })
})

describe('close', () => {
  it('waits for what is being written', async () => {
    const kept = memoryStore()
    const store: SnapshotStore = {
      load: kept.load,
      delete: kept.delete,
      async save(of, snapshot) {
        await settle(20)
        await kept.save(of, snapshot)
      },
    }
    const { registry } = await held(store, ['a', 'b'])
    await registry.close()
    expect(kept.snapshots).toHaveLength(2)
  })

  it('tries a last time what could not be written', async () => {
    const store = memoryStore()
    store.fail()
    const { registry } = await held(store, ['a'])
    store.recover()
    await registry.close()
    expect(store.snapshots).toHaveLength(1)
  })

  it('leaves no timer behind, whatever the store does', async () => {
    const store = memoryStore()
    store.fail()
    const { registry, clock } = await held(store, ['a'])
    await clock.advance(1_500)
    await registry.close()
    await clock.advance(60_000)
    expect(clock.pendingTimers).toBe(0)
    const calls = store.calls.length
    await clock.advance(60_000)
    expect(store.calls).toHaveLength(calls)
  })
})

describe('restore', () => {
  it('reports on every provider in one of its lists', async () => {
    const issuer = await startIssuer()
    const kept = memoryStore()
    const names = ['loaded', 'same', 'gone', 'forged', 'broken']
    const store: SnapshotStore = {
      load: async (of) => {
        if (of.tenant === 'broken') throw new Error('broken')
        return await kept.load(of)
      },
      save: kept.save,
      delete: kept.delete,
    }
    const writer = registryOn({ store: kept, integrityKey })
    await writer.registry.register({ ...registrationOf(issuer), tenant: 'same' })
    await writer.registry.resolve('same', provider)
    await writer.registry.persistAll()

    const { registry } = registryOn({ store, integrityKey })
    for (const name of names.slice(0, 4)) await registry.register({ ...registrationOf(issuer), tenant: name })
    for (const name of ['loaded', 'forged']) {
      await writer.registry.register({ ...registrationOf(issuer), tenant: name })
      await writer.registry.resolve(name, provider)
    }
    await writer.registry.persistAll()
    kept.put({ tenant: 'forged', provider }, { version: 1 })
    expect(await registry.restore()).toEqual({
      restored: [{ tenant: 'loaded', provider }],
      unchanged: [{ tenant: 'same', provider }],
      absent: [{ tenant: 'gone', provider }],
      refused: [{ tenant: 'forged', provider }],
      failed: [],
    })
    await registry.register({ ...registrationOf(issuer), tenant: 'broken' })
    expect(await registry.restore()).toMatchObject({ failed: expect.arrayContaining([{ tenant: 'broken', provider }]) })
  })

  it('says that everything is absent without a store', async () => {
    const { registry } = await held(undefined, [tenant])
    expect(await registry.restore()).toEqual({ restored: [], unchanged: [], absent: [key], refused: [], failed: [] })
  })

  it('rejects for nothing, closed or not', async () => {
    const { registry } = await held(memoryStore(), [tenant])
    await registry.close()
    expect(await registry.restore()).toMatchObject({ failed: [key] })
  })
})

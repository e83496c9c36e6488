import { setTimeout as sleep } from 'node:timers/promises'
import type { ProviderKey, Snapshot } from '@jwks-auth/core'
import { describe, expect, it } from 'vitest'
import {
  createManualClock,
  type MemoryStorePart,
  memoryStore,
  type StoreMethod,
  snapshotStoreContract,
  storeMethods,
} from '../src/index.ts'

const key: ProviderKey = { tenant: 'acme', provider: 'auth0' }
const snapshot: Snapshot = { version: 1, payload: '{}', keepUntil: null, integrity: 'sha256:x' }

/** What a promise has come to by now. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  return Promise.race([promise.catch((error: unknown) => error), sleep(5).then(() => 'pending')])
}

describe('the store', () => {
  const contract = snapshotStoreContract(() => {
    const store = memoryStore()
    return { open: () => store }
  })
  it.each(contract)('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})

describe('the store with all parts', () => {
  const contract = snapshotStoreContract(
    () => {
      const store = memoryStore({ parts: ['setAside', 'revocations', 'coordination'] })
      return { open: () => store }
    },
    { parts: ['setAside', 'revocations', 'coordination'] },
  )
  it.each(contract)('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})

describe('a method that misbehaves', () => {
  const parts: readonly MemoryStorePart[] = ['setAside', 'warnings', 'revocations', 'coordination']

  /** Calls the method without arguments, as untyped code would. */
  function call(store: object, method: StoreMethod): unknown {
    const [part = '', name] = method.split('.')
    const owner: unknown = name === undefined ? store : Reflect.get(store, part)
    return Reflect.apply(Reflect.get(Object(owner), name ?? part), owner, [])
  }

  it.each(storeMethods)('returns, throws or rejects as scripted: %s', async (method) => {
    const store = memoryStore({ parts })
    for (const value of [undefined, null, 'text', 7, { holder: 'nonsense' }]) {
      store.misbehave(method, () => value)
      expect(call(store, method)).toBe(value)
    }
    const error = new Error('misbehaves')
    store.misbehave(method, () => {
      throw error
    })
    expect(() => call(store, method)).toThrow(error)
    store.misbehave(method, () => Promise.reject(error))
    await expect(call(store, method)).rejects.toBe(error)
  })

  it('receives the arguments, leaves other methods alone and recovers', async () => {
    const store = memoryStore({ parts })
    const received: unknown[] = []
    store.misbehave('load', (...values) => received.push(...values))
    expect(store.load(key)).toBe(1)
    await store.save(key, snapshot)
    expect(received).toEqual([key])
    store.recover()
    expect(await store.load(key)).toEqual(snapshot)
  })

  it.each(['coordination.acquire', 'revocations.load', 'setAside'] as const)(
    'must be a method that the store has: %s',
    (method) => {
      expect(() => memoryStore().misbehave(method, () => undefined)).toThrow(
        new TypeError(`misbehave: the store has no method '${method}'`),
      )
    },
  )
})

describe('options of memoryStore', () => {
  it('give no parts by default', () => {
    expect(Object.keys(memoryStore())).not.toEqual(expect.arrayContaining(['coordination']))
    expect(memoryStore().warnings).toBeUndefined()
  })

  it.each([{ parts: ['other'] }, { parts: 'coordination' }, { clock: 7 }, { part: [] }])(
    'are refused when they are %j',
    (options) => {
      expect(() => Reflect.apply(memoryStore, undefined, [options])).toThrow(TypeError)
    },
  )

  it('let leases expire by the clock', async () => {
    const clock = createManualClock()
    const { coordination } = memoryStore({ parts: ['coordination'], clock })
    await coordination?.acquire(key, 'a', 1_000)
    await clock.advance(999)
    expect((await coordination?.inspect(key))?.holder).toBe('other')
    await clock.advance(1)
    expect((await coordination?.inspect(key))?.holder).toBe('none')
  })
})

describe('a store in memory', () => {
  it('shows what is kept, as copies', async () => {
    const store = memoryStore()
    await store.save(key, snapshot)
    expect(store.snapshots).toEqual([{ key, snapshot }])
    Object.assign(Object(store.snapshots[0]?.snapshot), { payload: 'changed' })
    expect(store.snapshots).toEqual([{ key, snapshot }])
  })

  it('counts calls, those that fail or hang, too', async () => {
    const store = memoryStore()
    await store.save(key, snapshot)
    store.fail()
    await store.load(key).catch(() => undefined)
    store.hang()
    void store.delete(key)
    expect(store.calls).toEqual([
      { method: 'save', key },
      { method: 'load', key },
      { method: 'delete', key },
    ])
  })

  it('holds whatever a test puts there, without a call', async () => {
    const store = memoryStore()
    store.put(key, 'garbage')
    expect(store.calls).toEqual([])
    expect(await store.load(key)).toBe('garbage')
  })

  it('fails every call with the error that it was given, and changes nothing', async () => {
    const store = memoryStore()
    store.put(key, 'kept')
    const error = new Error('disk on fire')
    store.fail(error)
    await expect(store.load(key)).rejects.toBe(error)
    await expect(store.save(key, snapshot)).rejects.toBe(error)
    await expect(store.delete(key)).rejects.toBe(error)
    expect(store.snapshots).toEqual([{ key, snapshot: 'kept' }])
  })

  it('has an error of its own to fail with', async () => {
    const store = memoryStore()
    store.fail()
    await expect(store.load(key)).rejects.toThrow('the store is down')
  })

  it('hangs until it recovers, and does then what it was asked to', async () => {
    const store = memoryStore()
    store.hang()
    const saved = store.save(key, snapshot)
    store.hang()
    const loaded = store.load(key)
    expect(await outcomeOf(saved)).toBe('pending')
    expect(await outcomeOf(loaded)).toBe('pending')
    expect(store.snapshots).toEqual([])
    store.recover()
    await saved
    expect(await loaded).toEqual(snapshot)
    expect(await store.load(key)).toEqual(snapshot)
  })

  it('takes as long as it is told, by the clock that it is given', async () => {
    const store = memoryStore()
    const clock = createManualClock()
    store.delay(300, clock)
    const saved = store.save(key, snapshot)
    await clock.advance(299)
    expect(store.snapshots).toEqual([])
    await clock.advance(1)
    await saved
    expect(store.snapshots).toEqual([{ key, snapshot }])
  })

  it('takes real time without a clock', async () => {
    const store = memoryStore()
    store.delay(20)
    const before = performance.now()
    await store.load(key)
    expect(performance.now() - before).toBeGreaterThanOrEqual(15)
  })

  it.each([-1, 0.5, Number.NaN, 2 ** 31])('does not take %s for a delay', (milliseconds) => {
    expect(() => memoryStore().delay(milliseconds)).toThrow(TypeError)
  })

  it('is as before after it has recovered from failing', async () => {
    const store = memoryStore()
    store.fail()
    store.recover()
    await store.save(key, snapshot)
    expect(await store.load(key)).toEqual(snapshot)
  })
})

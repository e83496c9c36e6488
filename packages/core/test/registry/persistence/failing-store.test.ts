import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { SnapshotStore } from '../../../src/index.ts'
import { integrityKey, key, provider, registrationOf, settle, startIssuer, tenant, until } from '../process.ts'
import { registryOn } from './registry-on.ts'

/** Anything that JavaScript lets a store do. */
function brokenStore(method: (...parameters: unknown[]) => unknown): SnapshotStore {
  return { load: method, save: method, delete: method } as SnapshotStore
}

/** Unhandled rejections of the process, by the end of the test. */
function watchRejections() {
  const unhandled = vi.fn<(reason: unknown) => void>()
  process.on('unhandledRejection', unhandled)
  onTestFinished(() => void process.off('unhandledRejection', unhandled))
  return unhandled
}

const circular: { self?: unknown } = {}
circular.self = circular
function springTrap(): never {
  throw new Error('a trap')
}
const hostile = new Proxy({}, { get: springTrap })

describe('no request fails over a store that', () => {
  it.each<[string, (...parameters: unknown[]) => unknown]>([
    [
      'throws at once',
      () => {
        throw new Error('broken')
      },
    ],
    ['rejects', () => Promise.reject(new Error('down'))],
    ['rejects with text', () => Promise.resolve().then(() => Promise.reject(Object('text')))],
    ['hands out no promise', () => undefined],
    ['hands out something else than a promise', () => 'text'],
    ['finds null', () => Promise.resolve(null)],
    ['finds a number', () => Promise.resolve(7)],
    ['finds a list', () => Promise.resolve([])],
    ['finds text that is no JSON', () => Promise.resolve('{"version":1')],
    ['finds a symbol', () => Promise.resolve(Symbol('s'))],
    ['finds a function', () => Promise.resolve(() => undefined)],
    ['finds a bigint', () => Promise.resolve(1n)],
    ['finds bytes', () => Promise.resolve(Buffer.from('{}'))],
    ['finds an object without a prototype', () => Promise.resolve(Object.create(null))],
    ['finds an object that holds itself', () => Promise.resolve(circular)],
    ['finds an object that cannot be written', () => Promise.resolve({ version: 1, toJSON: springTrap })],
    ['finds members that throw', () => Promise.resolve(Object.defineProperty({}, 'version', { get: springTrap }))],
    ['finds what is deeply nested', () => Promise.resolve(JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`))],
    ['hands out a promise that throws when it is awaited', () => hostile],
  ])('%s', async (_, method) => {
    const unhandled = watchRejections()
    const issuer = await startIssuer()
    const { registry, clock } = registryOn({ store: brokenStore(method), integrityKey })
    await registry.register(registrationOf(issuer))
    expect((await registry.resolve(tenant, provider)).keys).toHaveLength(1)
    await registry.refresh(tenant, provider)
    await expect(registry.resolve(tenant, provider, 'unknown')).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    await registry.restore()
    await registry.unregister(tenant, provider)
    await registry.register(registrationOf(issuer))
    expect((await registry.resolve(tenant, provider)).keys).toHaveLength(1)
    await clock.advance(20_000)
    await settle()
    expect(registry.status(tenant, provider).health).toBe('fresh')
    await registry.close()
    await settle()
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('what only looks like a store', () => {
  it.each<[string, Partial<Record<keyof SnapshotStore, unknown>>]>([
    ['setAside that throws', { setAside: springTrap }],
    ['warnings that throw', { warnings: springTrap }],
    ['warnings that are no list', { warnings: () => Promise.resolve(7) }],
    ['no revision', { revocations: { revision: () => undefined, load: () => undefined, save: () => undefined } }],
    [
      'revocations that are no list',
      { revocations: { revision: async () => 'r', load: async () => 7, save: async () => {} } },
    ],
    ['a subscription that throws', { coordination: { subscribe: springTrap } }],
    ['a subscription that is none', { coordination: { subscribe: () => undefined } }],
  ])('affects no request: %s', async (_, parts) => {
    const unhandled = watchRejections()
    const issuer = await startIssuer()
    const store = { ...memoryStore(), ...parts } as SnapshotStore
    await store.save(key, { version: 1, payload: 'no', keepUntil: null, integrity: 'sha256:no' })
    const { registry, clock } = registryOn({ store, integrityKey })
    await registry.register(registrationOf(issuer))
    expect((await registry.resolve(tenant, provider)).keys).toHaveLength(1)
    await clock.advance(20_000)
    await settle()
    await registry.close()
    await settle()
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('a store that rejects', () => {
  /** A registry with a provider whose keys were fetched while the store was down. */
  async function downFromTheStart() {
    const issuer = await startIssuer()
    const store = memoryStore()
    store.fail(new Error('down'))
    const scene = registryOn({ store, integrityKey })
    await scene.registry.register(registrationOf(issuer))
    await scene.registry.resolve(tenant, provider)
    await settle()
    return { issuer, store, ...scene }
  }

  it('is reported with its own error, and in the status', async () => {
    const { registry, told } = await downFromTheStart()
    // Reading and writing have health of their own.
    expect(told('store-failed')).toEqual(
      ['load', 'save'].map((operation) => ({
        ...key,
        operation,
        error: expect.objectContaining({
          code: 'ERR_STORE_FAILED',
          message: expect.stringContaining(`(${operation}, tenant ${tenant}, provider ${provider})`),
          cause: expect.objectContaining({ message: 'down' }),
        }),
      })),
    )
    expect(registry.status(tenant, provider)).toMatchObject({ store: 'failing', health: 'fresh', source: 'upstream' })
  })

  it('is reported once for many registrations', async () => {
    const { issuer, registry, told, store } = await downFromTheStart()
    const calls = store.calls.length
    for (let index = 0; index < 100; index += 1) {
      await registry.register({ ...registrationOf(issuer), tenant: `t${index}` })
      await registry.resolve(`t${index}`, provider)
    }
    await settle()
    // One for reading, one for writing; then every operation fails at once.
    expect(told('store-failed')).toHaveLength(2)
    expect(store.calls.length - calls).toBeLessThanOrEqual(4)
  })

  it('is reported once for many registrations that begin together', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    store.fail()
    const { registry, told } = registryOn({ store, integrityKey })
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => registry.register({ ...registrationOf(issuer), tenant: `t${index}` })),
    )
    expect(told('store-failed')).toHaveLength(1)
    // Those that had begun before the first one failed.
    expect(store.calls.length).toBeLessThanOrEqual(33)
  })

  it('has everything written that is held, once it returns', async () => {
    const { issuer, store, registry, clock, told } = await downFromTheStart()
    for (const name of ['b', 'c']) {
      await registry.register({ ...registrationOf(issuer), provider: name })
      await registry.resolve(tenant, name)
    }
    store.recover()
    await clock.advance(6_000)
    await until(() => told('snapshot-saved').length === 3)
    expect(
      told('store-recovered')
        .map((event) => ('operation' in event ? event.operation : undefined))
        .toSorted((one, other) => String(one).localeCompare(String(other))),
    ).toEqual(['load', 'save'])
    expect(registry.status(tenant, provider).store).toBe('ready')
    expect(store.snapshots.map(({ key: of }) => of.provider).toSorted()).toEqual(['b', 'c', provider])
  })

  it('has what it lost written again when it returns empty', async () => {
    const issuer = await startIssuer()
    const full = memoryStore()
    let store = full
    const { registry, clock, told } = registryOn({
      store: { load: (of) => store.load(of), save: (of, snapshot) => store.save(of, snapshot), delete: async () => {} },
      integrityKey,
    })
    await registry.register(registrationOf(issuer))
    await registry.resolve(tenant, provider)
    await until(() => told('snapshot-saved').length === 1)
    full.fail()
    await registry.restore()
    store = memoryStore()
    await clock.advance(6_000)
    await until(() => store.snapshots.length === 1)
    expect(told('snapshot-saved')).toHaveLength(2)
  })

  it('takes nothing but answers, as a full disk does: keys are saved once there is room', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    let isFull = true
    const { registry, clock, told } = registryOn({
      store: {
        load: (of) => store.load(of),
        save: async (of, snapshot) => {
          if (isFull) throw new Error('ENOSPC')
          await store.save(of, snapshot)
        },
        delete: (of) => store.delete(of),
      },
      integrityKey,
    })
    await registry.register(registrationOf(issuer))
    await registry.resolve(tenant, provider)
    for (let second = 0; second < 60; second += 1) await clock.advance(1_000)
    expect(registry.status(tenant, provider).store).toBe('failing')
    expect(told('store-failed').length).toBeLessThanOrEqual(16)
    expect(told('store-recovered')).toEqual([])
    isFull = false
    await clock.advance(5_000)
    await until(() => told('snapshot-saved').length === 1)
    expect(told('store-recovered')).toHaveLength(1)
  })
})

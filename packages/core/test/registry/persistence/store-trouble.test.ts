import {
  createManualClock,
  type ManualClock,
  type MemoryStore,
  memoryStore,
  type StoreMethod,
} from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { type FleetNotice, type SnapshotStore, StoreFailedError } from '../../../src/index.ts'
import {
  integrityKey,
  pass,
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

const everyPart = ['revocations', 'coordination'] as const
const writing: readonly StoreMethod[] = ['save', 'delete', 'revocations.save', 'coordination.saveIf']

async function startIssuerWithTwo() {
  const issuer = await startIssuer()
  await issuer.addKey()
  return issuer
}

const error = (code: string): Error => Object.assign(new Error(code), { code })

/** A second way into a store, through which some methods reject. */
function refusing(store: MemoryStore, methods: readonly StoreMethod[], code: string): SnapshotStore {
  const { load, save, delete: remove, revocations, coordination } = store
  const refused = Object.fromEntries(methods.map((name) => [name.split('.').at(-1), () => Promise.reject(error(code))]))
  const pick = (prefix: string): object =>
    Object.fromEntries(Object.entries(refused).filter(([name]) => methods.some((it) => it === `${prefix}${name}`)))
  const view: object = {
    ...{ load, save, delete: remove, ...pick('') },
    ...(revocations && { revocations: { ...revocations, ...pick('revocations.') } }),
    ...(coordination && { coordination: { ...coordination, ...pick('coordination.') } }),
  }
  return view as SnapshotStore
}

/** Deeply nested JSON, which overflows the stack of a naive reader. */
function nested(open: string, close: string): unknown {
  return JSON.parse(`${open.repeat(20_000)}0${close.repeat(20_000)}`)
}

describe('one bad record among the revocations', () => {
  it.each<[string, unknown]>([
    ['nested lists', nested('[', ']')],
    ['a payload of nested objects', { version: 1, payload: nested('{"a":', '}'), keepUntil: null, integrity: 'x' }],
    ['a signature that is nested', { version: 1, payload: '{}', keepUntil: null, integrity: nested('[', ']') }],
    ['a megabyte of text', 'x'.repeat(1_048_576)],
  ])('disables no other, and no further revocation: %s', async (_, record) => {
    const issuer = await startIssuerWithTwo()
    const store = memoryStore({ parts: ['revocations'] })
    const hostile: SnapshotStore = {
      ...store,
      revocations: {
        revision: async () => (await store.revocations?.revision()) ?? '',
        load: async () => [record, ...((await store.revocations?.load()) ?? []), record],
        save: async (id, value) => await store.revocations?.save(id, value),
      },
    }
    const first = await startProcessWithKeys({ issuer, registry: { store: hostile, integrityKey } })
    await first.registry.revokeKey(tenant, provider, 'key-1')
    const second = await startProcess({ issuer, registry: { store: hostile, integrityKey } })
    expect(await second.verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
    expect(second.told('snapshot-refused')).toContainEqual(expect.objectContaining({ tenant: '*', provider: '*' }))
    await second.registry.revokeKey(tenant, provider, 'key-2')
    await pass(first.clock, 5_000)
    expect(first.kids()).toEqual([])
  })
})

describe.each([
  ['a fleet', everyPart],
  ['a store that keeps revocations apart', ['revocations'] as const],
])('a process that may not write to %s', (_, parts) => {
  it.each(['EROFS', 'NOPERM', 'READONLY'])('reads it all the same: %s', async (code) => {
    const issuer = await startIssuerWithTwo()
    const clock = createManualClock()
    const store = memoryStore({ parts, clock })
    const writer = await startProcessWithKeys({ issuer, registry: { store, integrityKey, clock } })
    await writer.registry.register(registrationOf(issuer, { provider: 'later' }))
    await writer.registry.resolve(tenant, 'later')
    await until(() => writer.told('snapshot-saved').length === 2)

    const reader = await startProcess({
      issuer,
      registry: { store: refusing(store, writing, code), integrityKey, clock },
    })
    const token = await issuer.sign()
    expect(await reader.verdict(token)).toBe('accepted')
    await reader.registry.refresh(tenant, provider)
    await until(() => reader.told('store-failed').length > 0)
    expect(reader.told('store-failed')[0]).toMatchObject({
      tenant,
      provider,
      operation: 'save',
      error: { cause: { code } },
    })
    expect(reader.registry.status(tenant, provider).failingStoreSides).toEqual(['writing'])

    await issuer.stop()
    await reader.registry.register(registrationOf(issuer, { provider: 'later' }))
    expect((await reader.registry.resolve(tenant, 'later')).keys).toHaveLength(2)

    await writer.registry.revokeKey(tenant, provider, 'key-1')
    await pass(clock, 5_000)
    expect(reader.registry.status(tenant, provider).failingStoreSides).toEqual(['writing'])
    expect(await reader.verdict(token)).toBe('ERR_KEY_REVOKED')
  })
})

describe('one snapshot that cannot be read', () => {
  it.each(['EACCES', 'EIO'])('takes no other provider out of use: %s', async (code) => {
    const issuer = await startIssuer()
    const store = memoryStore()
    const first = await startProcessWithKeys({ issuer, registry: { store, integrityKey } })
    for (const name of ['b', 'c']) {
      await first.registry.register(registrationOf(issuer, { provider: name }))
      await first.registry.resolve(tenant, name)
    }
    await until(() => first.told('snapshot-saved').length === 3)
    const requests = issuer.requestCount('jwks')

    const load: SnapshotStore['load'] = async (key) => {
      if (key.provider === provider) throw error(code)
      return await store.load(key)
    }
    const second = await startProcess({ issuer, registry: { store: { ...store, load }, integrityKey } })
    for (const name of ['b', 'c']) {
      await second.registry.register(registrationOf(issuer, { provider: name }))
      expect((await second.registry.resolve(tenant, name)).keys).toHaveLength(1)
    }
    expect(issuer.requestCount('jwks')).toBe(requests)
    expect(second.told('store-failed').map(({ operation, provider: of }) => [operation, of])).toEqual([
      ['load', provider],
    ])
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    expect(issuer.requestCount('jwks')).toBe(requests + 1)
    await second.registry.revokeKey(tenant, 'b', 'key-1')
    expect(second.registry.status(tenant, 'b').kids).toEqual([])
  })
})

describe('revokeKey', () => {
  it.each([[everyPart], [[]]])('adds no record for a kid that is revoked, in any process (%j)', async (parts) => {
    const issuer = await startIssuerWithTwo()
    const clock = createManualClock()
    const store = memoryStore({ parts, clock })
    const registry = { store, integrityKey, clock }
    const first = await startProcessWithKeys({ issuer, registry })
    for (let time = 0; time < 5; time += 1) await first.registry.revokeKey(tenant, provider, 'key-1')
    const second = await startProcess({ issuer, registry })
    for (let time = 0; time < 5; time += 1) await second.registry.revokeKey(tenant, provider, 'key-1')
    const list = await store.load({ tenant, provider: `.revoked.${provider}` })
    const text = store.revocations === undefined ? JSON.stringify(list) : JSON.stringify(await store.revocations.load())
    expect(text.match(/\\"isLifted\\":/g)).toHaveLength(1)
  })

  it.each([1, 2, 3])('rejects where its own record cannot be saved, and tries it again: number %d', async (failing) => {
    const issuer = await startIssuer()
    for (let index = 0; index < 2; index += 1) await issuer.addKey()
    const store = memoryStore({ parts: ['revocations'] })
    let [attempts, saves] = [0, 0]
    const { registry, clock, told } = await startProcessWithKeys({
      issuer,
      registry: {
        integrityKey,
        store: {
          ...store,
          revocations: {
            revision: async () => (await store.revocations?.revision()) ?? '',
            load: async () => (await store.revocations?.load()) ?? [],
            async save(id, record) {
              attempts += 1
              if (attempts === failing) throw error('EBUSY')
              saves += 1
              await store.revocations?.save(id, record)
            },
          },
        },
      },
    })
    const kids = ['key-1', 'key-2', 'key-3']
    const results = await Promise.allSettled(kids.map((kid) => registry.revokeKey(tenant, provider, kid)))
    expect(results.map(({ status }) => status)).toEqual(
      kids.map((_, index) => (index + 1 === failing ? 'rejected' : 'fulfilled')),
    )
    await pass(clock, 10_000)
    expect([attempts, saves]).toEqual([4, 3])
    expect((await store.revocations?.load())?.length).toBe(3)
    expect(told('store-failed')).toHaveLength(1)
    expect(registry.status(tenant, provider).store).toBe('ready')
  })

  it('of many keys on a store that rejects everything rejects each, and loses none', async () => {
    const issuer = await startIssuerWithTwo()
    const store = memoryStore({ parts: ['revocations'] })
    const { registry, clock } = await startProcessWithKeys({ issuer, registry: { store, integrityKey } })
    store.misbehave('revocations.save', () => Promise.reject(error('ENOSPC')))
    const kids = Array.from({ length: 20 }, (_, index) => `key-${index}`)
    for (const kid of kids) {
      expect(await rejectionOf(registry.revokeKey(tenant, provider, kid))).toBeInstanceOf(StoreFailedError)
    }
    store.recover()
    await pass(clock, 10_000)
    expect(await store.revocations?.load()).toHaveLength(20)
  })
})

describe('a store that was emptied', () => {
  it('gets the revocations back from one of sixteen processes, each record once', async () => {
    const issuer = await startIssuer()
    const clock = createManualClock()
    const shared = memoryStore({ parts: everyPart, clock })
    let [isEmptied, writes] = [false, 0]
    const kept = new Map<string, unknown>()
    let revision = 0
    const store: SnapshotStore = {
      ...shared,
      revocations: {
        revision: async () => `${revision}`,
        load: async () => [...kept.values()],
        async save(id, record) {
          revision += 1
          if (isEmptied) writes += 1
          // A write takes a while, in which another process may look.
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 5))
          kept.set(id, record)
        },
      },
    }
    const fleet = []
    for (let index = 0; index < 16; index += 1) {
      fleet.push(await startProcess({ issuer, registry: { store, integrityKey, clock } }))
    }
    const [first] = fleet
    const revoked = Array.from({ length: 60 }, (_, index) =>
      first?.registry.revokeKey(tenant, provider, `kid-${index}`),
    )
    await pass(clock, 5_000, 100)
    await Promise.all(revoked)
    expect(kept.size).toBe(60)

    isEmptied = true
    kept.clear()
    revision = -1_000
    await pass(clock, 10_000, 50)
    expect(kept.size).toBe(60)
    expect(writes).toBeGreaterThanOrEqual(60)
    expect(writes).toBeLessThanOrEqual(120)
  })
})

describe('notices that do not arrive', () => {
  /** A process of a fleet with what its store calls, and its revision asked for how often. */
  async function startFleet(subscribe: (listener: (notice: FleetNotice) => void) => unknown) {
    const issuer = await startIssuerWithTwo()
    const clock = createManualClock()
    const store = memoryStore({ parts: everyPart, clock })
    const writer = await startProcessWithKeys({ issuer, registry: { store, integrityKey, clock } })
    let polls = 0
    const { revocations, coordination } = store
    if (revocations === undefined || coordination === undefined) throw new Error('a part is missing')
    const revision = async (): Promise<string> => {
      polls += 1
      return await revocations.revision()
    }
    const deaf = {
      ...store,
      revocations: { ...revocations, revision },
      coordination: { ...coordination, subscribe: subscribe as typeof coordination.subscribe },
    }
    const reader = await startProcess({ issuer, registry: { store: deaf, integrityKey, clock } })
    return { issuer, clock, writer, reader, polls: () => polls }
  }

  it('are reported, made up for by polling twice as often, and reported again when they are back', async () => {
    let tell: (notice: FleetNotice) => void = () => undefined
    const { issuer, clock, writer, reader, polls } = await startFleet((listener) => {
      tell = listener
      return () => undefined
    })
    const pollsIn10Seconds = async (): Promise<number> => {
      const before = polls()
      await pass(clock, 10_000)
      return polls() - before
    }
    expect(await pollsIn10Seconds()).toBe(5)
    for (let time = 0; time < 3; time += 1) tell({ kind: 'interrupted', cause: error('NOPERM') })
    expect(reader.told('store-failed')).toEqual([
      {
        tenant: '*',
        provider: '*',
        operation: 'subscribe',
        error: expect.objectContaining({
          code: 'ERR_STORE_FAILED',
          cause: expect.objectContaining({ code: 'NOPERM' }),
        }),
      },
    ])
    expect(reader.registry.status(tenant, provider)).toMatchObject({
      store: 'failing',
      failingStoreSides: ['coordinating'],
    })
    await pass(clock, 2_000)
    expect(await pollsIn10Seconds()).toBe(10)
    const token = await issuer.sign()
    expect(await reader.verdict(token)).toBe('accepted')
    await writer.registry.revokeKey(tenant, provider, 'key-1')
    await pass(clock, 1_500)
    expect(await reader.verdict(token)).toBe('ERR_KEY_REVOKED')
    tell({ kind: 'resumed' })
    await settle()
    expect(reader.told('store-recovered')).toEqual([{ tenant: '*', provider: '*', operation: 'subscribe' }])
    expect(reader.registry.status(tenant, provider).store).toBe('ready')
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw error('NOPERM')
      },
    ],
    ['rejects', () => Promise.reject(error('NOPERM'))],
  ])('because subscribe %s are reported, and a revocation is in force within five seconds', async (_, subscribe) => {
    const { issuer, clock, writer, reader } = await startFleet(subscribe)
    const token = await issuer.sign()
    expect(await reader.verdict(token)).toBe('accepted')
    expect(reader.registry.status(tenant, provider).failingStoreSides).toEqual(['coordinating'])
    await writer.registry.revokeKey(tenant, provider, 'key-1')
    await pass(clock, 5_000)
    expect(await reader.verdict(token)).toBe('ERR_KEY_REVOKED')
  })
})

describe('in an outage of the provider', () => {
  const lifetime = { maxTtl: 30_000, staleWhileError: 3_600_000 }

  interface Outage {
    readonly answer: 'fails' | 'hangs'
    readonly maxRetries: number
    /** True where the outage began before the processes had any key. */
    readonly isCold: boolean
  }

  /** The requests that this many processes make in ten minutes of outage, with a client at each of them all the time. */
  async function requestsOf(size: number, { answer, maxRetries, isCold }: Outage): Promise<number> {
    const issuer = await startIssuer()
    const clock = createManualClock()
    const store = memoryStore({ parts: everyPart, clock })
    const retryPolicy = { maxRetries, attemptTimeout: 3_000, deadline: 8_000 }
    const fleet = []
    for (let index = 0; index < size; index += 1) {
      const registry = { store, integrityKey, clock }
      fleet.push(await startProcess({ issuer, registry, provider: { ...lifetime, retryPolicy } }))
    }
    const far = Math.floor(clock.now() / 1_000) + 7_200
    const token = await issuer.sign({ exp: far })
    if (!isCold) await Promise.all(fleet.map(({ verdict }) => verdict(token)))
    issuer.answerAlways('jwks', answer === 'hangs' ? { kind: 'hang' } : { kind: 'reply', status: 500 })
    issuer.clearRequests()
    for (let second = 0; second < 600; second += 1) {
      const verdicts = fleet.map(({ verdict }) => verdict(token))
      await advanceUntilSettled(clock, Promise.all(verdicts))
      expect(new Set(await Promise.all(verdicts))).toEqual(new Set([isCold ? 'ERR_KEYS_UNAVAILABLE' : 'accepted']))
    }
    return issuer.requestCount('jwks')
  }

  const outages = (['fails', 'hangs'] as const).flatMap((answer) =>
    [0, 2].flatMap((maxRetries) => [true, false].map((isCold): Outage => ({ answer, maxRetries, isCold }))),
  )

  it.each(outages)('three processes make as many requests as one: %j', async (outage) => {
    const alone = await requestsOf(1, outage)
    expect(alone).toBeGreaterThan(8)
    expect(await requestsOf(3, outage)).toBeLessThanOrEqual(1.5 * alone)
  })
})

/** A second, and as many more as it takes, with the work of each step done before the next one. */
async function advanceUntilSettled(clock: ManualClock, promise: Promise<unknown>): Promise<void> {
  const state = { isSettled: false }
  const settled = promise.finally(() => {
    state.isSettled = true
  })
  settled.catch(() => undefined)
  await pass(clock, 1_000, 250)
  for (let round = 0; !state.isSettled && round < 1_000; round += 1) await pass(clock, 100, 100)
}

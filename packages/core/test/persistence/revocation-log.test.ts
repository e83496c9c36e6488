import { createManualClock, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { FleetCoordination } from '../../src/index.ts'
import { published } from '../jwks-cache/immutable-scene.ts'
import { rejectionOf } from '../jwks-cache/scene.ts'
import { acme, apartStore, areRevoked, globex, openLog, revoke, unrevoke } from './revocation-scene.ts'

describe('without a store', () => {
  it('loads and saves nothing, and keeps revocations as long as the process lives', async () => {
    const { log } = openLog(undefined)
    await revoke(log, acme, 'a')
    expect(await log.load(acme)).toBe(true)
    await log.refresh()
    expect(areRevoked(log, acme, 'a', 'b')).toEqual([true, false])
    expect(areRevoked(log, globex, 'a')).toEqual([false])
  })
})

describe.each(['a store that keeps revocations apart', 'a store of three methods'])('on %s', (name) => {
  const makeStore = () => (name.includes('apart') ? apartStore().store : memoryStore())

  it('another process learns what was revoked, for each provider, when it loads', async () => {
    const store = makeStore()
    const [one, other] = [openLog(store), openLog(store)]
    await revoke(one.log, acme, 'a')
    await revoke(one.log, globex, 'g')
    for (const key of [acme, globex]) expect(await other.log.load(key)).toBe(true)
    expect(areRevoked(other.log, acme, 'a', 'g')).toEqual([true, false])
    expect(areRevoked(other.log, globex, 'a', 'g')).toEqual([false, true])
    expect(other.changed).toEqual([acme, globex])
    expect(other.events).toEqual([
      ['key-revoked', { ...acme, kid: 'a' }],
      ['key-revoked', { ...globex, kid: 'g' }],
    ])
  })

  it('a later process learns what was lifted', async () => {
    const store = makeStore()
    const one = openLog(store)
    await revoke(one.log, acme, 'a')
    await revoke(one.log, acme, 'b')
    await unrevoke(one.log, acme, 'a')
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a', 'b')).toEqual([false, true])
  })

  it('thumbprints that a revocation has learned later are saved', async () => {
    const store = makeStore()
    const one = openLog(store)
    await revoke(one.log, acme, 'a')
    await one.log.persist(acme, one.log.of(acme).complete(published(['a', 'secret'])))
    const other = openLog(store)
    await other.log.load(acme)
    expect(other.log.of(acme).filter(published(['renamed', 'secret'], ['b', 'good'])).keys).toHaveLength(1)
  })

  it('nothing is saved where nothing has changed', async () => {
    const store = makeStore()
    const { log } = openLog(store)
    await log.persist(acme, [])
    expect(await log.load(acme)).toBe(true)
    expect(await store.load({ ...acme, provider: '.revoked.main' })).toBeUndefined()
  })

  it('revoking a kid again adds no record', async () => {
    const { store, kept } = apartStore()
    const plain = memoryStore()
    const { log } = openLog(name.includes('apart') ? store : plain)
    for (let time = 0; time < 10; time += 1) await revoke(log, acme, 'a')
    expect(log.of(acme).records()).toHaveLength(1)
    expect(kept.size).toBe(name.includes('apart') ? 1 : 0)
  })

  it('records that another integrityKey has signed are refused, with an event', async () => {
    const store = makeStore()
    const [one, other] = [openLog(store, { keys: ['x'.repeat(32)] }), openLog(store, { keys: ['y'.repeat(32)] })]
    await revoke(one.log, acme, 'a')
    expect(await other.log.load(acme)).toBe(true)
    expect(areRevoked(other.log, acme, 'a')).toEqual([false])
    expect(other.events).toMatchObject([['snapshot-refused', { reason: 'integrity' }]])
  })
})

describe('polling a store that keeps revocations apart', () => {
  it('asks for its revision every two seconds, and loads only when that has changed', async () => {
    const { store, calls } = apartStore()
    const { log, clock } = openLog(store)
    await log.load(acme)
    expect(calls).toEqual({ revision: 1, load: 1, save: 0 })
    await clock.advance(10_000)
    expect(calls).toEqual({ revision: 6, load: 1, save: 0 })
    await log.load(globex)
    expect(calls).toEqual({ revision: 6, load: 1, save: 0 })
    await revoke(openLog(store).log, acme, 'a')
    await clock.advance(2_000)
    expect(calls).toEqual({ revision: 7, load: 2, save: 1 })
    expect(areRevoked(log, acme, 'a')).toEqual([true])
  })

  it('goes on every two seconds where the wall clock is set back', async () => {
    const { store, calls } = apartStore()
    const { log, clock } = openLog(store)
    await log.load(acme)
    clock.set(clock.now() - 86_400_000)
    await clock.advance(10_000)
    expect(calls.revision).toBe(6)
  })

  it('asks every second while no notices arrive', async () => {
    const { store, calls } = apartStore()
    const { log, clock } = openLog(store)
    log.pollFaster(true)
    await log.load(acme)
    await clock.advance(4_000)
    expect(calls.revision).toBe(5)
    log.pollFaster(false)
    await clock.advance(5_000)
    expect(calls.revision).toBe(8)
  })

  it('starts with the first load and ends with the registry', async () => {
    const { store, calls } = apartStore()
    const { log, clock, close } = openLog(store)
    await clock.advance(10_000)
    expect(calls.revision).toBe(0)
    await log.load(acme)
    close()
    await clock.advance(10_000)
    expect(calls.revision).toBe(1)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('a store that keeps revocations apart', () => {
  it('loses none when two processes revoke at the same time', async () => {
    const { store, kept } = apartStore()
    const [one, other] = [openLog(store), openLog(store)]
    await Promise.all([revoke(one.log, acme, 'a'), revoke(other.log, acme, 'b'), revoke(other.log, acme, 'a')])
    expect(kept.size).toBe(3)
    await Promise.all([one.log.refresh(), other.log.refresh()])
    for (const { log } of [one, other]) expect(areRevoked(log, acme, 'a', 'b')).toEqual([true, true])
  })

  it.each([
    ['of another application', { hello: 'world' }],
    ['that is no JSON object', 'not JSON at all'],
    ['whose signature is wrong', { version: 1, payload: '{}', keepUntil: null, integrity: 'hmac-sha256:x' }],
    ['that is nested too deeply', deeplyNested()],
    ['that is null', null],
    ['that is a list', []],
  ])('is read without a record %s, and reports that one', async (_, wrong) => {
    const { store, kept } = apartStore()
    const keys = ['x'.repeat(32)]
    await revoke(openLog(store, { keys }).log, acme, 'a')
    kept.set('0'.repeat(32), wrong)
    await revoke(openLog(store, { keys }).log, globex, 'g')
    const { log, events } = openLog(store, { keys })
    expect(await log.load(acme)).toBe(true)
    expect([...areRevoked(log, acme, 'a'), ...areRevoked(log, globex, 'g')]).toEqual([true, true])
    expect(events.filter(([type]) => type === 'snapshot-refused')).toHaveLength(1)
    await revoke(log, acme, 'b')
    expect(kept.size).toBe(4)
  })

  it('reports ten refused records of a load at most', async () => {
    const { store, kept } = apartStore()
    await revoke(openLog(store).log, acme, 'a')
    for (let index = 0; index < 100; index += 1) kept.set(`${index}`, { hello: 'world' })
    const { log, events } = openLog(store)
    await log.load(acme)
    expect(areRevoked(log, acme, 'a')).toEqual([true])
    expect(events.filter(([type]) => type === 'snapshot-refused')).toHaveLength(10)
  })

  it('cannot be loaded while it fails, and is read when it works again', async () => {
    const { store, fail } = apartStore()
    await revoke(openLog(store).log, acme, 'a')
    fail(true)
    const { log, clock } = openLog(store)
    expect(await log.load(acme)).toBe(false)
    fail(false)
    await clock.advance(1_000)
    expect(areRevoked(log, acme, 'a')).toEqual([true])
    expect(await log.load(acme)).toBe(true)
  })

  it('gets the records that it could not take when it works again, and is read again', async () => {
    const { store, kept, fail } = apartStore()
    const { log, clock } = openLog(store)
    await log.load(acme)
    await revoke(openLog(store).log, globex, 'g')
    fail(true)
    expect(await rejectionOf(revoke(log, acme, 'a'))).toMatchObject({ code: 'ERR_STORE_FAILED' })
    expect(await rejectionOf(revoke(log, acme, 'b'))).toMatchObject({ code: 'ERR_STORE_FAILED' })
    expect(areRevoked(log, acme, 'a', 'b')).toEqual([true, true])
    expect(kept.size).toBe(1)
    fail(false)
    await clock.advance(10_000)
    expect(kept.size).toBe(3)
    expect(areRevoked(log, globex, 'g')).toEqual([true])
  })

  it.each([
    ['while it works', false],
    ['after an outage', true],
  ])('gets every record but one that it refuses each time %s, and that one once it takes it', async (_, isDown) => {
    const { store, kept, fail } = apartStore()
    const refusedIds = new Set<string>()
    const { revocations } = store
    const save: typeof revocations.save = async (id, record) => {
      if (refusedIds.has(id)) throw new Error('this record is refused')
      await revocations.save(id, record)
    }
    const { log, clock } = openLog({ ...store, revocations: { ...revocations, save } })
    await log.load(acme)
    const [bad, ...good] = ['a', 'b', 'c', 'd'].map((kid) => log.of(acme).revoke(kid, undefined))
    if (bad === undefined) throw new Error('there is no record')
    refusedIds.add(bad.id)
    fail(isDown)
    expect(await rejectionOf(log.persist(acme, [bad, ...good]))).toMatchObject({ code: 'ERR_STORE_FAILED' })
    await clock.advance(2_000)
    fail(false)
    await clock.advance(20_000)
    expect(new Set(kept.keys())).toEqual(new Set(good.map(({ id }) => id)))
    await revoke(log, globex, 'g')
    expect(kept.size).toBe(4)
    refusedIds.clear()
    await clock.advance(20_000)
    expect(kept.has(bad.id)).toBe(true)
  })
})

describe('a store that was emptied', () => {
  it('gets everything back from a running process', async () => {
    const { store, kept } = apartStore()
    const { log, clock } = openLog(store)
    await log.load(acme)
    await revoke(log, acme, 'a')
    await revoke(log, globex, 'g')
    await unrevoke(log, globex, 'g')
    await clock.advance(2_000)
    kept.clear()
    await clock.advance(5_000)
    expect(kept.size).toBe(2)
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a')).toEqual([true])
    expect(areRevoked(other.log, globex, 'g')).toEqual([false])
  })

  it('has an old copy of a record replaced by the lifted one', async () => {
    const { store, kept } = apartStore()
    const { log, clock } = openLog(store)
    await log.load(acme)
    await revoke(log, acme, 'a')
    const [[id = '', old] = []] = kept
    await unrevoke(log, acme, 'a')
    await clock.advance(2_000)
    await store.revocations.save(id, Object(old))
    await clock.advance(5_000)
    expect(areRevoked(log, acme, 'a')).toEqual([false])
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a')).toEqual([false])
  })

  it('gets back what it loses before the next poll, with the revision of before the save', async () => {
    const { store, kept } = apartStore()
    // As of a directory that is restored from a copy: it depends on nothing but the content.
    const revision = async () => [...kept.keys()].join()
    const { log, clock } = openLog({ ...store, revocations: { ...store.revocations, revision } })
    await log.load(acme)
    await revoke(log, acme, 'a')
    kept.clear()
    await clock.advance(5_000)
    expect(kept.size).toBe(1)
  })

  it('gets everything back although its revision is the same as before', async () => {
    const { store, kept, fail } = apartStore()
    const { revocations } = store
    const revision = async () => {
      await revocations.revision()
      return 'the same'
    }
    const { log, clock } = openLog({ ...store, revocations: { ...revocations, revision } })
    await log.load(acme)
    await revoke(log, acme, 'a')
    fail(true)
    await clock.advance(2_000)
    kept.clear()
    fail(false)
    await clock.advance(10_000)
    expect(kept.size).toBe(1)
  })

  it('is written back once by a fleet, by the process with the shortest random delay', async () => {
    const { store, kept, calls } = apartStore()
    const clock = createManualClock()
    const fleet = [0.9, 0.2, 0.5, 0.7].map((delay) => openLog(store, { clock, random: () => delay }))
    const [first] = fleet
    for (let kid = 0; kid < 20; kid += 1) if (first !== undefined) await revoke(first.log, acme, `kid-${kid}`)
    for (const { log } of fleet) await log.load(acme)
    calls.save = 0
    kept.clear()
    await clock.advance(2_000)
    expect(calls.save).toBe(0)
    await clock.advance(199)
    expect(calls.save).toBe(0)
    await clock.advance(1)
    expect([calls.save, kept.size]).toEqual([20, 20])
    await clock.advance(10_000)
    expect(calls.save).toBe(20)
  })

  it('is written back once by a fleet whose delays are the same, through a lease', async () => {
    const { store, kept, calls } = apartStore()
    const clock = createManualClock()
    let holder: string | undefined
    const slow = store.revocations.save
    const save: typeof slow = async (id, record) => {
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 10))
      await slow(id, record)
    }
    const coordination: FleetCoordination = {
      ...unusedCoordination,
      async acquire(_key, leaseId) {
        if (holder !== undefined) return { holder: 'other', generation: undefined }
        holder = leaseId
        return { holder: 'own', generation: undefined }
      },
      async release(_key, leaseId) {
        if (holder === leaseId) holder = undefined
      },
    }
    const shared = { ...store, revocations: { ...store.revocations, save }, coordination }
    const fleet = [1, 2, 3, 4].map(() => openLog(shared, { clock, random: () => 0.5 }))
    const [first] = fleet
    const records = Array.from({ length: 20 }, (_, index) => first?.log.of(acme).revoke(`kid-${index}`, undefined))
    const saved = first?.log.persist(
      acme,
      records.flatMap((record) => record ?? []),
    )
    await clock.advance(10)
    await saved
    for (const { log } of fleet) await log.load(acme)
    calls.save = 0
    kept.clear()
    await clock.advance(20_000)
    expect([calls.save, kept.size]).toEqual([20, 20])
  })
})

const unused = async (): Promise<never> => {
  throw new Error('the revocation log does not call this')
}

/** What the revocation log does not need of a fleet. */
const unusedCoordination: Omit<FleetCoordination, 'acquire' | 'release'> = {
  renew: unused,
  inspect: unused,
  load: unused,
  saveIf: unused,
  reserveRefetch: unused,
  returnRefetch: unused,
  subscribe: () => () => undefined,
}

/** JSON that overflows the stack of a naive reader. */
function deeplyNested(): unknown {
  let value: unknown = null
  for (let depth = 0; depth < 2_000; depth += 1) value = [value]
  return { payload: value }
}

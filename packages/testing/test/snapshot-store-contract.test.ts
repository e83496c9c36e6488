import type { FleetCoordination, RevocationStore, SnapshotStore } from '@jwks-auth/core'
import { describe, expect, it } from 'vitest'
import { type StorePart, snapshotStoreContract } from '../src/index.ts'
import { type FleetPlace, fleetPlace, fleetStore } from './fleet-store.ts'

type Store = Required<SnapshotStore>
const allParts: readonly StorePart[] = ['setAside', 'revocations', 'coordination']

/** The contract over a store with every part, of which something may be made worse. */
function contractOf(spoil: (store: Store, place: FleetPlace) => SnapshotStore = (store) => store) {
  return snapshotStoreContract(
    () => {
      const place = fleetPlace()
      return { open: () => spoil(fleetStore(place), place) }
    },
    { parts: allParts },
  )
}

describe('a store that does everything right', () => {
  it.each(contractOf())('$name', async ({ run }) => {
    await expect(run()).resolves.toBeUndefined()
  })
})

const snapshots =
  (worse: (store: Store, place: FleetPlace) => Partial<SnapshotStore>) =>
  (store: Store, place: FleetPlace): SnapshotStore => ({ ...store, ...worse(store, place) })

const revocations =
  (worse: (revocations: RevocationStore, place: FleetPlace) => Partial<RevocationStore>) =>
  (store: Store, place: FleetPlace): SnapshotStore => ({
    ...store,
    revocations: { ...store.revocations, ...worse(store.revocations, place) },
  })

const fleet =
  (worse: (fleet: FleetCoordination, place: FleetPlace, store: Store) => Partial<FleetCoordination>) =>
  (store: Store, place: FleetPlace): SnapshotStore => ({
    ...store,
    coordination: { ...store.coordination, ...worse(store.coordination, place, store) },
  })

const late = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 5))

/** What is wrong with a store, how it comes to be so, and the cases that must find it out, among others perhaps. */
const faults: readonly [string, (store: Store, place: FleetPlace) => SnapshotStore, readonly string[]][] = [
  [
    'is never empty',
    snapshots(({ load }) => ({ load: async (key) => (await load(key)) ?? null })),
    ['has nothing under a key at first', 'does not reject when there is nothing to delete'],
  ],
  [
    'forgets members',
    snapshots(({ save }) => ({ save: (key, { keepUntil: _, ...rest }) => save(key, { ...rest, keepUntil: '' }) })),
    ['gives back what was saved', 'gives back a snapshot that does not expire'],
  ],
  [
    'takes text for ASCII',
    snapshots(({ save }) => ({
      save: (key, { payload, ...rest }) =>
        save(key, { ...rest, payload: Buffer.from(payload, 'ascii').toString('ascii') }),
    })),
    ['gives back text of any script'],
  ],
  [
    'cuts what is long',
    snapshots(({ save }) => ({
      save: (key, { payload, ...rest }) => save(key, { ...rest, payload: payload.slice(0, 65_535) }),
    })),
    ['gives back a snapshot of a megabyte'],
  ],
  [
    'takes null for expired',
    snapshots(({ save }) => ({
      save: async (key, snapshot) => (snapshot.keepUntil === null ? undefined : save(key, snapshot)),
    })),
    ['gives back a snapshot that does not expire'],
  ],
  [
    'keeps what it has to itself',
    () => fleetStore(fleetPlace()),
    [
      'shows other instances what one has saved, replaced and deleted',
      'gives back all revocations, in another instance, too',
    ],
  ],
  [
    'writes over the old text without cutting it',
    snapshots((_, { snapshots }) => ({
      save: async (key, snapshot) => {
        const name = JSON.stringify([key.tenant, key.provider])
        const text = JSON.stringify(snapshot)
        snapshots.set(name, text + (snapshots.get(name) ?? '').slice(text.length))
      },
    })),
    ['leaves nothing of a snapshot that is replaced by a shorter one'],
  ],
  [
    'deletes a tenant with the provider',
    snapshots((_, { snapshots }) => ({ delete: async () => snapshots.clear() })),
    ['deletes what is under one key and nothing else'],
  ],
  [
    'does not delete',
    snapshots(() => ({ delete: async () => undefined })),
    ['deletes what is under one key and nothing else'],
  ],
  [
    'rejects when there is nothing to delete',
    snapshots((store) => ({
      delete: async (key) => {
        if ((await store.load(key)) === undefined) throw new Error('ENOENT')
        await store.delete(key)
      },
    })),
    ['does not reject when there is nothing to delete'],
  ],
  ['ignores case', renaming((name) => name.toLowerCase()), ['keeps apart keys that differ in case']],
  [
    'joins names',
    snapshots((store) => {
      const joined = (tenant: string, provider: string) => ({ tenant: `${tenant}-${provider}`, provider: 'x' })
      return {
        load: ({ tenant, provider }) => store.load(joined(tenant, provider)),
        save: ({ tenant, provider }, snapshot) => store.save(joined(tenant, provider), snapshot),
      }
    }),
    ['keeps apart keys that join to the same text'],
  ],
  [
    'keeps snapshots in an object',
    snapshots((store) => {
      const kept: Record<string, unknown> = {}
      return {
        load: async ({ tenant, provider }) => (kept[tenant] as Record<string, unknown> | undefined)?.[provider],
        save: async ({ tenant, provider }, snapshot) => {
          kept[tenant] ??= {}
          Object.assign(Object(kept[tenant]), { [provider]: structuredClone(snapshot) })
          await store.save({ tenant, provider }, snapshot)
        },
      }
    }),
    ['keeps apart keys that mean something elsewhere'],
  ],
  ['cuts names', renaming((name) => name.slice(0, 63)), ['keeps apart keys of 64 characters']],
  [
    'cuts a dot from names',
    renaming((name) => name.replace(/^\./, '')),
    ["keeps apart keys of the registry's own records"],
  ],
  [
    'saves in pieces',
    snapshots((_, { snapshots }) => ({
      save: async (key, snapshot) => {
        const name = JSON.stringify([key.tenant, key.provider])
        snapshots.set(name, '')
        for (const piece of JSON.stringify(snapshot).match(/.{1,900}/gs) ?? []) {
          snapshots.set(name, snapshots.get(name) + piece)
          await Promise.resolve()
        }
      },
    })),
    ['keeps one of several snapshots that are saved at once, as a whole'],
  ],
  [
    'keeps the very object',
    snapshots(() => {
      const kept = new Map<string, unknown>()
      return {
        load: async ({ tenant }) => kept.get(tenant),
        save: async ({ tenant }, snapshot) => void kept.set(tenant, snapshot),
      }
    }),
    ['is not affected by later changes of a saved object', 'is not affected by changes of a loaded object'],
  ],
  [
    'looks at the snapshot later',
    snapshots(({ save }) => ({ save: (key, snapshot) => late().then(() => save(key, snapshot)) })),
    ['is not affected by later changes of a saved object'],
  ],
  [
    'moves a snapshot aside',
    snapshots((store) => ({ setAside: store.delete })),
    ['sets a snapshot aside without taking it away or putting it under another key'],
  ],
  [
    'rejects when there is nothing to set aside',
    snapshots((store) => ({
      setAside: async (key) => {
        if ((await store.load(key)) === undefined) throw new Error('ENOENT')
      },
    })),
    ['does not reject when there is nothing to set aside'],
  ],
  [
    'has lost a part',
    ({ setAside: _, ...store }) => store,
    ['has setAside, revocations, coordination and no other optional part'],
  ],
  [
    'makes up a revocation',
    revocations(({ load }) => ({ load: async () => [...(await load()), {}] })),
    ['has no revocations at first', 'keeps revocations apart from snapshots'],
  ],
  [
    'keeps one revocation',
    revocations(({ save }) => ({ save: (_, revocation) => save('', revocation) })),
    ['gives back all revocations, in another instance, too'],
  ],
  [
    'adds where it should replace',
    revocations(({ save }) => ({ save: (id, revocation) => save(id + crypto.randomUUID(), revocation) })),
    ['replaces the revocation of the same id and no other'],
  ],
  [
    'reads the list of revocations and writes it back',
    revocations((_, place) => ({
      save: async (id, revocation) => {
        const list = new Map(place.revocations)
        await late()
        place.revocations.clear()
        for (const [known, text] of [...list, [id, JSON.stringify(revocation)] as const])
          place.revocations.set(known, text)
        place.revision += 1
      },
    })),
    ['loses no revocation when several instances save at once'],
  ],
  [
    'deletes revocations with the snapshot',
    snapshots((_, place) => ({ delete: async () => place.revocations.clear() })),
    ['keeps revocations apart from snapshots'],
  ],
  [
    'counts revocations for a revision',
    revocations((_, place) => ({ revision: async () => `${place.revocations.size}` })),
    ['has another revision after each save of any instance, and the same one until then'],
  ],
  [
    'has another revision each time',
    revocations(() => ({ revision: async () => crypto.randomUUID() })),
    ['has another revision after each save of any instance, and the same one until then'],
  ],
  [
    'gives a lease to everybody',
    fleet((_, { leases }) => ({
      acquire: async () => {
        leases.clear()
        return { holder: 'own', generation: undefined }
      },
    })),
    [
      'gives a lease to one process and reports it to the others',
      'returns the stored generation with the state of a lease',
    ],
  ],
  [
    'gives no lease twice',
    fleet(({ acquire, inspect }) => ({
      acquire: async (key, leaseId, ttl) =>
        (await inspect(key)).holder === 'none'
          ? acquire(key, leaseId, ttl)
          : { holder: 'other', generation: undefined },
    })),
    ['extends the lease for the process that already holds it'],
  ],
  [
    'checks first and takes the lease afterwards',
    fleet(({ acquire, inspect }, { leases }) => ({
      acquire: async (key, leaseId, ttl) => {
        const { holder } = await inspect(key)
        await late()
        if (holder !== 'none') return acquire(key, leaseId, ttl)
        leases.clear()
        return acquire(key, leaseId, ttl)
      },
    })),
    ['gives a lease to one of several processes that acquire it at once'],
  ],
  [
    'has one lease for all keys',
    fleet(({ acquire }) => ({ acquire: (_, leaseId, ttl) => acquire({ tenant: 'a', provider: 'b' }, leaseId, ttl) })),
    ['keeps the leases of different providers apart'],
  ],
  [
    'releases any lease',
    fleet((_, { leases }) => ({ release: async () => leases.clear() })),
    ['releases a lease for its holder only', 'keeps the leases of different providers apart'],
  ],
  [
    'does not release leases',
    fleet(() => ({ release: async () => undefined })),
    ['releases a lease for its holder only'],
  ],
  [
    'has leases that never expire',
    fleet(({ acquire, renew }) => ({
      acquire: (key, leaseId) => acquire(key, leaseId, 1e9),
      renew: (key, leaseId) => renew(key, leaseId, 1e9),
    })),
    ['lets a lease expire, after which the former holder can neither renew nor release it'],
  ],
  [
    'renews any lease',
    fleet(() => ({ renew: async () => true })),
    [
      'lets a lease expire, after which the former holder can neither renew nor release it',
      'renews a lease for its holder only',
    ],
  ],
  [
    'renews no lease',
    fleet(({ inspect }, { leases }) => ({
      renew: async (key, leaseId) => {
        await inspect(key)
        return [...leases.values()].some((lease) => lease.holder === leaseId)
      },
    })),
    ['renews a lease for its holder only'],
  ],
  [
    'has an endless budget',
    fleet(() => ({ reserveRefetch: async () => true })),
    ['grants the refetch budget once per provider'],
  ],
  [
    'has one budget for all keys',
    fleet(({ reserveRefetch }) => ({
      reserveRefetch: (_, leaseId, ttl) => reserveRefetch({ tenant: 'a', provider: 'b' }, leaseId, ttl),
    })),
    ['grants the refetch budget once per provider'],
  ],
  [
    'checks first and reserves the budget afterwards',
    fleet((_, { refetches }) => ({
      reserveRefetch: async ({ tenant }, refetchId, cooldown) => {
        if ((refetches.get(tenant)?.until ?? 0) > performance.now()) return false
        await late()
        refetches.set(tenant, { holder: refetchId, until: performance.now() + cooldown })
        return true
      },
    })),
    ['grants the refetch budget to one of several processes that reserve it at once'],
  ],
  [
    'returns the budget for any refetch',
    fleet((_, { refetches }) => ({ returnRefetch: async () => refetches.clear() })),
    ['returns the refetch budget for the refetch that reserved it only'],
  ],
  [
    'does not return the budget',
    fleet(({ reserveRefetch }) => ({
      returnRefetch: async () => undefined,
      reserveRefetch: (key, leaseId) => reserveRefetch(key, leaseId, 1e9),
    })),
    [
      'returns the refetch budget for the refetch that reserved it only',
      'grants the refetch budget again after the cooldown',
    ],
  ],
  [
    'shares the failure of any process',
    fleet((_, { failures }) => ({
      shareFailure: async (key, _leaseId, failure, ttl) => {
        const holder = JSON.stringify(failure)
        failures.set(JSON.stringify([key.tenant, key.provider]), { holder, until: performance.now() + ttl })
      },
    })),
    ['shares no failure of a process that does not hold the lease'],
  ],
  [
    'keeps shared failures',
    fleet(({ shareFailure }) => ({
      shareFailure: async (key, leaseId, failure) => shareFailure?.(key, leaseId, failure, 1e9),
    })),
    ['shares a failure of the lease holder until its time is over'],
  ],
  [
    'loses shared failures with the lease',
    fleet(({ release }, { failures }) => ({
      release: async (key, leaseId) => {
        failures.clear()
        await release(key, leaseId)
      },
    })),
    ['keeps a shared failure when the lease is released, and removes it when a snapshot is saved'],
  ],
  [
    'makes up a generation',
    fleet(({ load }) => ({
      load: async (key) => {
        const { snapshot, generation } = await load(key)
        return { snapshot, generation: generation ?? '0' }
      },
    })),
    ['has neither snapshot nor generation at first'],
  ],
  [
    'saves whatever the generation',
    fleet(({ saveIf, inspect }) => ({
      saveIf: async (key, snapshot, _, next) => saveIf(key, snapshot, (await inspect(key)).generation, next),
    })),
    [
      'saves a snapshot only as the successor of the generation that it was made from',
      'fences off a holder that slept past its lease',
    ],
  ],
  [
    'takes no generation for any generation',
    fleet(({ saveIf, inspect }) => ({
      saveIf: async (key, snapshot, expected, next) =>
        saveIf(key, snapshot, expected ?? (await inspect(key)).generation, next),
    })),
    ['fences off a holder that slept past its lease'],
  ],
  [
    'compares first and saves then',
    fleet(({ inspect, saveIf }) => ({
      saveIf: async (key, snapshot, expected, next) => {
        if ((await inspect(key)).generation !== expected) return false
        await late()
        return saveIf(key, snapshot, (await inspect(key)).generation, next)
      },
    })),
    ['saves one of several snapshots that are made from the same generation'],
  ],
  [
    'has one generation for all keys',
    fleet(({ saveIf }) => ({
      saveIf: (_, snapshot, expected, next) => saveIf({ tenant: 'acme', provider: 'auth0' }, snapshot, expected, next),
    })),
    ['has a generation for each key'],
  ],
  [
    'keeps the generation when a snapshot is saved without condition',
    snapshots((_, place) => ({
      save: async ({ tenant, provider }, snapshot) =>
        void place.snapshots.set(JSON.stringify([tenant, provider]), JSON.stringify(snapshot)),
    })),
    ['has another generation after an unconditional save, and none after a deletion'],
  ],
  [
    'keeps the generation of what was deleted',
    snapshots((_, place) => ({
      delete: async ({ tenant, provider }) => void place.snapshots.delete(JSON.stringify([tenant, provider])),
    })),
    ['has another generation after an unconditional save, and none after a deletion'],
  ],
  [
    'sends no notice',
    fleet(() => ({ subscribe: () => () => undefined })),
    ['notifies other instances of a saved snapshot'],
  ],
  [
    'sends notices about another key only',
    fleet(({ subscribe }) => ({
      subscribe: (listener) => subscribe(() => listener({ kind: 'snapshot', key: { tenant: 'x', provider: 'y' } })),
    })),
    ['notifies other instances of a revocation'],
  ],
  [
    'never stops telling',
    fleet(({ subscribe }) => ({
      subscribe: (listener) => {
        subscribe(listener)
        return () => undefined
      },
    })),
    ['does not notify a listener that has unsubscribed'],
  ],
]

/** A store that changes names before it looks them up. */
function renaming(rename: (name: string) => string): (store: Store, place: FleetPlace) => SnapshotStore {
  return snapshots(({ load, save }) => ({
    load: ({ tenant, provider }) => load({ tenant: rename(tenant), provider: rename(provider) }),
    save: ({ tenant, provider }, snapshot) => save({ tenant: rename(tenant), provider: rename(provider) }, snapshot),
  }))
}

describe('the contract finds out a store that', () => {
  it.concurrent.each(faults)('%s', async (_, spoil, names) => {
    const cases = contractOf(spoil).filter(({ name }) => names.includes(name))
    expect(cases.map(({ name }) => name).toSorted()).toEqual([...names].toSorted())
    for (const { run } of cases) await expect(run()).rejects.toBeInstanceOf(Error)
  })

  it('is caught at every sentence by one fault at least', () => {
    const found = new Set(faults.flatMap(([, , names]) => names))
    expect(contractOf().flatMap(({ name }) => (found.has(name) ? [] : [name]))).toEqual([])
  })
})

describe('the contract', () => {
  it('asks of a plain store nothing about parts that it does not have', () => {
    const plain = snapshotStoreContract(() => ({ open: () => fleetStore(fleetPlace()) }))
    const names = contractOf().map(({ name }) => name)
    expect(plain.length).toBeGreaterThan(10)
    expect(plain.slice(1).every(({ name }) => names.includes(name))).toBe(true)
    expect(plain.some(({ name }) => /revocation|lease|generation|aside/.test(name))).toBe(false)
  })

  it('does not leave a part unchecked that was not declared', async () => {
    const [parts] = snapshotStoreContract(() => ({ open: () => fleetStore(fleetPlace()) }))
    expect(parts?.name).toBe('has no optional parts')
    await expect(parts?.run()).rejects.toMatchObject({ code: 'ERR_ASSERTION' })
  })

  it('makes a place for each case, and clears it up, whatever comes of the case', async () => {
    const log: string[] = []
    const [, ...cases] = snapshotStoreContract(async () => {
      const place = fleetPlace()
      log.push('made')
      return { open: async () => fleetStore(place), dispose: async () => void log.push('cleared up') }
    })
    await cases[0]?.run()
    const [, failing] = snapshotStoreContract(() => ({
      open: () => ({ ...fleetStore(fleetPlace()), load: () => Promise.reject(new Error('down')) }),
      dispose: () => void log.push('cleared up'),
    }))
    await expect(failing?.run()).rejects.toThrow('down')
    expect(log).toEqual(['made', 'cleared up', 'cleared up'])
  })

  it.each([{ part: [] }, { parts: 'revocations' }, { parts: ['revocation'] }, null])(
    'does not take the options %j',
    (options) => {
      const make = () => ({ open: () => fleetStore(fleetPlace()) })
      expect(() => Reflect.apply(snapshotStoreContract, undefined, [make, options])).toThrow(TypeError)
    },
  )
})

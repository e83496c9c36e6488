import assert from 'node:assert/strict'
import type { FleetCoordination, FleetNotice, SnapshotStore } from '@jwks-auth/core'
import { acme, ann, assertSoon, callAtOnce, globex, LONG, sampleId, sampleSnapshot } from './samples.ts'
import { type Case, partOf } from './store-place.ts'

const [first, second, third] = [sampleId('first'), sampleId('second'), sampleId('third')] as const

/** Cases for coordination: generations of snapshots. */
export const generationCases: readonly Case[] = [
  [
    'has neither snapshot nor generation at first',
    async ({ store }) => {
      assert.deepEqual(await fleetOf(store).load(acme), { snapshot: undefined, generation: undefined })
    },
  ],
  [
    'saves a snapshot only as the successor of the generation that it was made from',
    async ({ store, open }) => {
      const other = fleetOf(await open())
      assert.equal(await fleetOf(store).saveIf(acme, sampleSnapshot('0'), second, first), false)
      assert.equal(await store.load(acme), undefined)
      assert.equal(await fleetOf(store).saveIf(acme, sampleSnapshot('1'), undefined, first), true)
      assert.equal(await other.saveIf(acme, sampleSnapshot('late'), undefined, second), false)
      assert.deepEqual(await other.load(acme), { snapshot: sampleSnapshot('1'), generation: first })
      assert.equal(await other.saveIf(acme, sampleSnapshot('2'), first, second), true)
      assert.equal(await fleetOf(store).saveIf(acme, sampleSnapshot('late'), first, third), false)
      assert.deepEqual(await fleetOf(store).load(acme), { snapshot: sampleSnapshot('2'), generation: second })
      assert.deepEqual(await store.load(acme), sampleSnapshot('2'))
    },
  ],
  [
    'saves one of several snapshots that are made from the same generation',
    async ({ store, open }) => {
      const fleets = [fleetOf(store), fleetOf(await open())]
      let expected: string | undefined
      for (const round of ['a', 'b', 'c']) {
        const saved = await callAtOnce(fleets, 5, async (fleet, number) => {
          const text = `${round}${number}`
          return (await fleet.saveIf(acme, sampleSnapshot(text), expected, sampleId(text))) ? [text] : []
        })
        const [winner, ...others] = saved.flat()
        assert.ok(winner !== undefined && others.length === 0, `${saved.flat().length} of 10 were saved`)
        expected = sampleId(winner)
        assert.deepEqual(await fleetOf(store).load(acme), { snapshot: sampleSnapshot(winner), generation: expected })
      }
    },
  ],
  [
    'fences off a holder that slept past its lease',
    async ({ store, open }) => {
      const awake = fleetOf(await open())
      const { generation } = await fleetOf(store).acquire(acme, ann, LONG)
      await awake.saveIf(acme, sampleSnapshot('of the one awake'), generation, first)
      assert.equal(await fleetOf(store).saveIf(acme, sampleSnapshot('of the sleeper'), generation, second), false)
      assert.deepEqual(await store.load(acme), sampleSnapshot('of the one awake'))
    },
  ],
  [
    'has a generation for each key',
    async ({ store }) => {
      await fleetOf(store).saveIf(acme, sampleSnapshot('acme'), undefined, first)
      assert.equal(await fleetOf(store).saveIf(globex, sampleSnapshot('globex'), undefined, second), true)
      assert.equal((await fleetOf(store).load(acme)).generation, first)
    },
  ],
  [
    'has another generation after an unconditional save, and none after a deletion',
    async ({ store }) => {
      await fleetOf(store).saveIf(acme, sampleSnapshot('1'), undefined, first)
      await store.save(acme, sampleSnapshot('2'))
      const { snapshot, generation } = await fleetOf(store).load(acme)
      assert.deepEqual(snapshot, sampleSnapshot('2'))
      assert.ok(generation !== undefined && generation !== first, `the generation is ${generation}`)
      assert.equal(await fleetOf(store).saveIf(acme, sampleSnapshot('late'), first, second), false)
      await store.delete(acme)
      assert.deepEqual(await fleetOf(store).load(acme), { snapshot: undefined, generation: undefined })
      assert.equal(await fleetOf(store).saveIf(acme, sampleSnapshot('3'), undefined, third), true)
    },
  ],
]

/** Cases for coordination: notices. */
export const noticeCases: readonly Case[] = [
  [
    'notifies other instances of a saved snapshot',
    async ({ store, open }) => {
      const listener = listenTo(await open())
      try {
        await listener.hearsOf(isAbout(acme), saver(store))
      } finally {
        listener.stop()
      }
    },
  ],
  [
    'does not notify a listener that has unsubscribed',
    async ({ store, open }) => {
      const other = await open()
      const [leaver, stayer] = [listenTo(other), listenTo(other)]
      try {
        await leaver.hearsOf(isAbout(acme), saver(store))
        leaver.stop()
        const heard = leaver.notices.length
        stayer.notices.length = 0
        await stayer.hearsOf(isAbout(globex), saver(store, globex))
        assert.equal(leaver.notices.length, heard)
      } finally {
        leaver.stop()
        stayer.stop()
      }
    },
  ],
]

/** Cases for stores with coordination and revocations. */
export const revocationNoticeCases: readonly Case[] = [
  [
    'notifies other instances of a revocation',
    async ({ store, open }) => {
      const listener = listenTo(await open())
      let count = 0
      try {
        await listener.hearsOf(
          ({ kind }) => kind === 'revocations',
          () => {
            count += 1
            return partOf(store, 'revocations').save(sampleId('a'), sampleSnapshot(`${count}`, null))
          },
        )
      } finally {
        listener.stop()
      }
    },
  ],
]

function fleetOf(store: SnapshotStore): FleetCoordination {
  return partOf(store, 'coordination')
}

function isAbout({ tenant, provider }: typeof acme): (notice: FleetNotice) => boolean {
  return (notice) => notice.kind === 'snapshot' && notice.key.tenant === tenant && notice.key.provider === provider
}

/** Saves one generation after the other. */
function saver(store: SnapshotStore, key: typeof acme = acme): () => Promise<void> {
  let count = 0
  return async () => {
    count += 1
    const { generation } = await fleetOf(store).inspect(key)
    assert.ok(await fleetOf(store).saveIf(key, sampleSnapshot(`${count}`), generation, sampleId(`${count}`)))
  }
}

interface Listener {
  readonly notices: FleetNotice[]
  /** Repeats the change until the notice arrives: messages may get lost. */
  hearsOf(isIt: (notice: FleetNotice) => boolean, change: () => Promise<void>): Promise<void>
  stop(): void
}

function listenTo(store: SnapshotStore): Listener {
  const notices: FleetNotice[] = []
  const stop = fleetOf(store).subscribe((notice) => notices.push(notice))
  return {
    notices,
    stop,
    hearsOf: (isIt, change) =>
      assertSoon('no notice has come', async () => {
        await change()
        return notices.some(isIt)
      }),
  }
}

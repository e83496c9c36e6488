import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FleetCoordination, LeaseState, ProviderKey, SnapshotStore } from '@jwks-auth/core'
import { acme, ann, assertSoon, ben, callAtOnce, globex, LONG, SHORT, sampleId, sampleSnapshot } from './samples.ts'
import { type Case, partOf } from './store-place.ts'

/** Cases for coordination: leases, the refetch budget and shared failures. */
export const leaseCases: readonly Case[] = [
  [
    'gives a lease to one process and reports it to the others',
    async ({ store, open }) => {
      const other = fleetOf(await open())
      assertState(await fleetOf(store).inspect(acme), { holder: 'none', generation: undefined })
      assertState(await fleetOf(store).acquire(acme, ann, LONG), { holder: 'own', generation: undefined })
      assertState(await other.acquire(acme, ben, LONG), { holder: 'other', generation: undefined })
      assertState(await other.inspect(acme), { holder: 'other', generation: undefined })
    },
  ],
  [
    'extends the lease for the process that already holds it',
    async ({ store }) => {
      await fleetOf(store).acquire(acme, ann, LONG)
      assert.equal((await fleetOf(store).acquire(acme, ann, LONG)).holder, 'own')
    },
  ],
  [
    'gives a lease to one of several processes that acquire it at once',
    async ({ store, open }) => {
      const fleets = [fleetOf(store), fleetOf(await open())]
      const states = await callAtOnce(fleets, 5, (fleet, number) => fleet.acquire(acme, sampleId(`${number}`), LONG))
      assert.equal(states.filter(({ holder }) => holder === 'own').length, 1)
      assert.equal(states.filter(({ holder }) => holder === 'other').length, 9)
    },
  ],
  [
    'keeps the leases of different providers apart',
    async ({ store }) => {
      await fleetOf(store).acquire(acme, ann, LONG)
      assert.equal((await fleetOf(store).acquire(globex, ben, LONG)).holder, 'own')
      await fleetOf(store).release(globex, ben)
      assert.equal((await fleetOf(store).inspect(acme)).holder, 'other')
    },
  ],
  [
    'returns the stored generation with the state of a lease',
    async ({ store }) => {
      await fleetOf(store).saveIf(acme, sampleSnapshot('kept'), undefined, sampleId('1'))
      const generation = sampleId('1')
      assertState(await fleetOf(store).acquire(acme, ann, LONG), { holder: 'own', generation })
      assertState(await fleetOf(store).acquire(acme, ben, LONG), { holder: 'other', generation })
      assertState(await fleetOf(store).inspect(acme), { holder: 'other', generation })
    },
  ],
  [
    'releases a lease for its holder only',
    async ({ store }) => {
      await fleetOf(store).acquire(acme, ann, LONG)
      await fleetOf(store).release(acme, ben)
      assert.equal((await fleetOf(store).inspect(acme)).holder, 'other')
      await fleetOf(store).release(acme, ann)
      assert.equal((await fleetOf(store).inspect(acme)).holder, 'none')
      await fleetOf(store).release(acme, ann)
      assert.equal((await fleetOf(store).acquire(acme, ben, LONG)).holder, 'own')
    },
  ],
  [
    'lets a lease expire, after which the former holder can neither renew nor release it',
    async ({ store }) => {
      const fleet = fleetOf(store)
      await fleet.acquire(acme, ann, SHORT)
      await assertSoon('the lease has not expired', async () => (await fleet.inspect(acme)).holder === 'none')
      assert.equal((await fleet.acquire(acme, ben, LONG)).holder, 'own')
      assert.equal(await fleet.renew(acme, ann, LONG), false)
      await fleet.release(acme, ann)
      assert.equal((await fleet.acquire(acme, ann, LONG)).holder, 'other')
    },
  ],
  [
    'renews a lease for its holder only',
    async ({ store }) => {
      const fleet = fleetOf(store)
      assert.equal(await fleet.renew(acme, ann, LONG), false)
      // On a machine that is busy, it may have expired before it can be renewed.
      await assertSoon('the holder cannot renew its lease', async () => {
        await fleet.acquire(acme, ann, SHORT)
        return fleet.renew(acme, ann, LONG)
      })
      assert.equal(await fleet.renew(acme, ben, LONG), false)
      await sleep(SHORT + 100)
      assert.equal((await fleet.inspect(acme)).holder, 'other')
    },
  ],
  [
    'grants the refetch budget once per provider',
    async ({ store, open }) => {
      const other = fleetOf(await open())
      assert.equal(await fleetOf(store).reserveRefetch(acme, ann, LONG), true)
      assert.equal(await other.reserveRefetch(acme, ben, LONG), false)
      assert.equal(await other.reserveRefetch(globex, ben, LONG), true)
    },
  ],
  [
    'grants the refetch budget to one of several processes that reserve it at once',
    async ({ store, open }) => {
      const fleets = [fleetOf(store), fleetOf(await open())]
      const spent = await callAtOnce(fleets, 5, (fleet, number) =>
        fleet.reserveRefetch(acme, sampleId(`${number}`), LONG),
      )
      assert.equal(spent.filter((isSpent) => isSpent).length, 1)
    },
  ],
  [
    'returns the refetch budget for the refetch that reserved it only',
    async ({ store }) => {
      await fleetOf(store).reserveRefetch(acme, ann, LONG)
      await fleetOf(store).returnRefetch(acme, ben)
      assert.equal(await fleetOf(store).reserveRefetch(acme, ben, LONG), false)
      await fleetOf(store).returnRefetch(acme, ann)
      assert.equal(await fleetOf(store).reserveRefetch(acme, ben, LONG), true)
    },
  ],
  [
    'grants the refetch budget again after the cooldown',
    async ({ store }) => {
      await fleetOf(store).reserveRefetch(acme, ann, SHORT)
      await assertSoon('the budget does not come back', () => fleetOf(store).reserveRefetch(acme, ben, LONG))
    },
  ],
  [
    'shares a failure of the lease holder until its time is over',
    async ({ store, open }) => {
      if (!sharesFailures(store)) return
      const other = fleetOf(await open())
      await fleetOf(store).acquire(acme, ann, LONG)
      await shareFailure(fleetOf(store), acme, ann, 'failed', LONG)
      assert.deepEqual((await other.inspect(acme)).failure, sampleSnapshot('failed'))
      assert.deepEqual((await other.acquire(acme, ben, LONG)).failure, sampleSnapshot('failed'))
      assert.equal((await other.inspect(globex)).failure, undefined)
      await shareFailure(fleetOf(store), acme, ann, 'failed again', SHORT)
      await assertSoon('the failure has not expired', async () => (await other.inspect(acme)).failure === undefined)
    },
  ],
  [
    'shares no failure of a process that does not hold the lease',
    async ({ store, open }) => {
      if (!sharesFailures(store)) return
      const other = fleetOf(await open())
      await shareFailure(other, acme, ben, 'without a lease', LONG)
      assert.equal((await other.inspect(acme)).failure, undefined)
      await fleetOf(store).acquire(acme, ann, LONG)
      await shareFailure(other, acme, ben, "under another's lease", LONG)
      assert.equal((await other.inspect(acme)).failure, undefined)
      await fleetOf(store).release(acme, ann)
      await shareFailure(fleetOf(store), acme, ann, 'after the lease', LONG)
      assert.equal((await other.inspect(acme)).failure, undefined)
    },
  ],
  [
    'keeps a shared failure when the lease is released, and removes it when a snapshot is saved',
    async ({ store, open }) => {
      if (!sharesFailures(store)) return
      const other = fleetOf(await open())
      const saves = [
        () => other.saveIf(acme, sampleSnapshot('1'), undefined, sampleId('1')),
        () => store.save(acme, sampleSnapshot('2')),
      ]
      for (const save of saves) {
        await fleetOf(store).acquire(acme, ann, LONG)
        await shareFailure(fleetOf(store), acme, ann, 'failed', LONG)
        await fleetOf(store).release(acme, ann)
        assert.deepEqual((await other.inspect(acme)).failure, sampleSnapshot('failed'))
        await save()
        assert.equal((await other.inspect(acme)).failure, undefined)
      }
    },
  ],
]

/** Sharing failures is optional. */
function sharesFailures(store: SnapshotStore): boolean {
  return fleetOf(store).shareFailure !== undefined
}

async function shareFailure(
  fleet: FleetCoordination,
  key: ProviderKey,
  leaseId: string,
  text: string,
  ttl: number,
): Promise<void> {
  await fleet.shareFailure?.(key, leaseId, sampleSnapshot(text), ttl)
}

/** A store may leave out `failure` or set it to `undefined`. */
function assertState({ holder, generation, failure }: LeaseState, expected: Omit<LeaseState, 'failure'>): void {
  assert.deepEqual({ holder, generation, failure }, { ...expected, failure: undefined })
}

function fleetOf(store: SnapshotStore): FleetCoordination {
  return partOf(store, 'coordination')
}

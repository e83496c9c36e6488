import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FleetCoordination, SnapshotStore } from '@jwks-auth/core'
import { acme, ann, askAtOnce, assertSoon, ben, globex, LONG, SHORT, sampleId, sampleSnapshot } from './samples.ts'
import { type Case, partOf } from './store-place.ts'

/** What a store does that coordinates a fleet: leases, and the budget for unknown `kid`s. */
export const leaseCases: readonly Case[] = [
  [
    'gives a lease to one, and tells everybody else',
    async ({ store, open }) => {
      const other = fleetOf(await open())
      assert.deepEqual(await fleetOf(store).inspect(acme), { holder: 'none', generation: undefined })
      assert.deepEqual(await fleetOf(store).acquire(acme, ann, LONG), { holder: 'own', generation: undefined })
      assert.deepEqual(await other.acquire(acme, ben, LONG), { holder: 'other', generation: undefined })
      assert.deepEqual(await other.inspect(acme), { holder: 'other', generation: undefined })
    },
  ],
  [
    'gives the lease again to whoever has it',
    async ({ store }) => {
      await fleetOf(store).acquire(acme, ann, LONG)
      assert.equal((await fleetOf(store).acquire(acme, ann, LONG)).holder, 'own')
    },
  ],
  [
    'gives a lease to one of several who ask at once',
    async ({ store, open }) => {
      const fleets = [fleetOf(store), fleetOf(await open())]
      const states = await askAtOnce(fleets, 5, (fleet, number) => fleet.acquire(acme, sampleId(`${number}`), LONG))
      assert.equal(states.filter(({ holder }) => holder === 'own').length, 1)
      assert.equal(states.filter(({ holder }) => holder === 'other').length, 9)
    },
  ],
  [
    'has a lease for each key',
    async ({ store }) => {
      await fleetOf(store).acquire(acme, ann, LONG)
      assert.equal((await fleetOf(store).acquire(globex, ben, LONG)).holder, 'own')
      await fleetOf(store).release(globex, ben)
      assert.equal((await fleetOf(store).inspect(acme)).holder, 'other')
    },
  ],
  [
    'says with a lease which generation is kept',
    async ({ store }) => {
      await fleetOf(store).saveIf(acme, sampleSnapshot('kept'), undefined, sampleId('1'))
      const generation = sampleId('1')
      assert.deepEqual(await fleetOf(store).acquire(acme, ann, LONG), { holder: 'own', generation })
      assert.deepEqual(await fleetOf(store).acquire(acme, ben, LONG), { holder: 'other', generation })
      assert.deepEqual(await fleetOf(store).inspect(acme), { holder: 'other', generation })
    },
  ],
  [
    'takes a lease back from its holder and from nobody else',
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
    'lets a lease expire by itself, and does not give it back to the late one',
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
    'renews a lease for its holder and for nobody else',
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
    'lets the budget for unknown kids be spent once, for each key',
    async ({ store, open }) => {
      const other = fleetOf(await open())
      assert.equal(await fleetOf(store).reserveRefetch(acme, ann, LONG), true)
      assert.equal(await other.reserveRefetch(acme, ben, LONG), false)
      assert.equal(await other.reserveRefetch(globex, ben, LONG), true)
    },
  ],
  [
    'lets the budget for unknown kids be spent by one of several who ask at once',
    async ({ store, open }) => {
      const fleets = [fleetOf(store), fleetOf(await open())]
      const spent = await askAtOnce(fleets, 5, (fleet, number) =>
        fleet.reserveRefetch(acme, sampleId(`${number}`), LONG),
      )
      assert.equal(spent.filter((isSpent) => isSpent).length, 1)
    },
  ],
  [
    'lets the budget for unknown kids be given back by whoever spent it last',
    async ({ store }) => {
      await fleetOf(store).reserveRefetch(acme, ann, LONG)
      await fleetOf(store).returnRefetch(acme, ben)
      assert.equal(await fleetOf(store).reserveRefetch(acme, ben, LONG), false)
      await fleetOf(store).returnRefetch(acme, ann)
      assert.equal(await fleetOf(store).reserveRefetch(acme, ben, LONG), true)
    },
  ],
  [
    'has the budget for unknown kids again when the cooldown is over',
    async ({ store }) => {
      await fleetOf(store).reserveRefetch(acme, ann, SHORT)
      await assertSoon('the budget does not come back', () => fleetOf(store).reserveRefetch(acme, ben, LONG))
    },
  ],
]

function fleetOf(store: SnapshotStore): FleetCoordination {
  return partOf(store, 'coordination')
}

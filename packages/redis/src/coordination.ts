import type { FleetCoordination, LeaseState } from '@jwks-auth/core'
import type { RedisKeys } from './keys.ts'
import { encodeNotice } from './notices.ts'
import type { RedisClient } from './redis-client.ts'
import { isDone, listIn, recordIn, snapshotIn, textIn } from './replies.ts'
import { runScript } from './run-script.ts'
import {
  acquireLease,
  inspectLease,
  loadSnapshot,
  removeIfOwn,
  renewLease,
  reserveRefetch,
  saveSnapshotIf,
  shareFailure,
} from './scripts.ts'
import { snapshotArguments } from './snapshots.ts'
import { subscriptions } from './subscriptions.ts'

/** Milliseconds after which a lease counts as expired for a process that has never asked for one. */
const LONGEST_LEASE = 60_000

/** Creates the coordination of a fleet in Redis: leases with fencing, a shared refetch budget, failures and notices. */
export function coordination(client: RedisClient, keys: RedisKeys): FleetCoordination {
  const { subscribe } = subscriptions(client, keys)
  /** The longest lease that this process asked for. One that lasts longer was not taken by this package. */
  let longest = 0
  const longestLease = (): string => period(longest === 0 ? LONGEST_LEASE : longest)

  return Object.freeze({
    async acquire(key, leaseId, ttl) {
      longest = Math.max(longest, ttl)
      const names = [keys.lease(key), keys.snapshot(key), keys.failure(key)]
      return leaseState(await runScript(client, acquireLease, names, [leaseId, period(ttl)]), 'own', 'other')
    },
    async renew(key, leaseId, ttl) {
      longest = Math.max(longest, ttl)
      return isDone(await runScript(client, renewLease, [keys.lease(key)], [leaseId, period(ttl), longestLease()]))
    },
    async release(key, leaseId) {
      await runScript(client, removeIfOwn, [keys.lease(key)], [leaseId])
    },
    async inspect(key) {
      const names = [keys.lease(key), keys.snapshot(key), keys.failure(key)]
      return leaseState(await runScript(client, inspectLease, names, [longestLease()]), 'other', 'none')
    },
    async load(key) {
      const [snapshot, generation] = listIn(await runScript(client, loadSnapshot, [keys.snapshot(key)]))
      return { snapshot: await snapshotIn(snapshot), generation: textIn(generation) }
    },
    async saveIf(key, snapshot, expected, next) {
      const notice = encodeNotice({ kind: 'snapshot', key })
      const values = [...snapshotArguments(snapshot, next), expected ?? '', keys.channel, notice]
      return isDone(await runScript(client, saveSnapshotIf, [keys.snapshot(key), keys.failure(key)], values))
    },
    async shareFailure(key, leaseId, failure, ttl) {
      const notice = encodeNotice({ kind: 'snapshot', key })
      const values = [leaseId, longestLease(), JSON.stringify(failure), period(ttl), keys.channel, notice]
      await runScript(client, shareFailure, [keys.lease(key), keys.failure(key)], values)
    },
    async reserveRefetch(key, refetchId, cooldown) {
      return isDone(await runScript(client, reserveRefetch, [keys.refetch(key)], [refetchId, period(cooldown)]))
    },
    async returnRefetch(key, refetchId) {
      await runScript(client, removeIfOwn, [keys.refetch(key)], [refetchId])
    },
    subscribe,
  } satisfies FleetCoordination)
}

/** Reads a reply about the lease: 1 or 0, generation, failure. */
function leaseState(reply: unknown, ifDone: LeaseState['holder'], otherwise: LeaseState['holder']): LeaseState {
  const [done, generation, failure] = listIn(reply)
  const record = recordIn(failure)
  return {
    holder: isDone(done) ? ifDone : otherwise,
    generation: textIn(generation),
    ...(record !== undefined && { failure: record }),
  }
}

/** Milliseconds as Redis takes them: whole, and at least one. */
function period(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds)))
}

import type { FleetCoordination, LeaseState } from '@jwks-auth/core'
import type { RedisKeys } from './keys.ts'
import { encodeNotice } from './notices.ts'
import type { RedisClient } from './redis-client.ts'
import { isDone, listIn, recordIn, textIn } from './replies.ts'
import { runScript } from './run-script.ts'
import { acquireLease, giveBack, inspectLease, loadSnapshot, renewLease, saveSnapshotIf, reserveRefetch } from './scripts.ts'
import { snapshotArguments } from './snapshots.ts'
import { subscriptions } from './subscriptions.ts'

/** What a fleet does through the server: a lease with fencing, a shared budget, messages. */
export function coordination(client: RedisClient, keys: RedisKeys): FleetCoordination {
  const { subscribe } = subscriptions(client, keys.channel)
  return Object.freeze({
    async acquire(key, token, ttl) {
      const reply = await runScript(client, acquireLease, [keys.lease(key), keys.snapshot(key)], [token, period(ttl)])
      return leaseState(reply, 'own', 'other')
    },
    async renew(key, token, ttl) {
      return isDone(await runScript(client, renewLease, [keys.lease(key)], [token, period(ttl)]))
    },
    async release(key, token) {
      await runScript(client, giveBack, [keys.lease(key)], [token])
    },
    async inspect(key) {
      return leaseState(await runScript(client, inspectLease, [keys.lease(key), keys.snapshot(key)]), 'other', 'none')
    },
    async load(key) {
      const [snapshot, generation] = listIn(await runScript(client, loadSnapshot, [keys.snapshot(key)]))
      return { snapshot: recordIn(snapshot), generation: textIn(generation) }
    },
    async saveIf(key, snapshot, expected, next) {
      const notice = encodeNotice({ kind: 'snapshot', key })
      const values = [...snapshotArguments(snapshot, next), expected ?? '', keys.channel, notice]
      return isDone(await runScript(client, saveSnapshotIf, [keys.snapshot(key)], values))
    },
    async reserveRefetch(key, token, cooldown) {
      return isDone(await runScript(client, reserveRefetch, [keys.look(key)], [token, period(cooldown)]))
    },
    async returnRefetch(key, token) {
      await runScript(client, giveBack, [keys.look(key)], [token])
    },
    subscribe,
  } satisfies FleetCoordination)
}

/** The answer to a question about the lease: done or not, and the generation. */
function leaseState(reply: unknown, ifDone: LeaseState['holder'], otherwise: LeaseState['holder']): LeaseState {
  const [done, generation] = listIn(reply)
  return { holder: isDone(done) ? ifDone : otherwise, generation: textIn(generation) }
}

/** Milliseconds as the server takes them: whole, and at least one. */
function period(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds)))
}

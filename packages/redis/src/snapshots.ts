import { randomBytes } from 'node:crypto'
import type { Snapshot, SnapshotStore } from '@jwks-auth/core'
import type { RedisKeys } from './keys.ts'
import type { RedisClient } from './redis-client.ts'
import { listIn, snapshotIn } from './replies.ts'
import { runScript } from './run-script.ts'
import { deleteSnapshot, loadSnapshot, saveSnapshot, setAsideSnapshot } from './scripts.ts'

/** Milliseconds for which the copy of a refused snapshot is kept. */
const REFUSED_KEPT_FOR = 30 * 24 * 60 * 60 * 1_000

/** Creates the methods for snapshots. */
export function snapshots(
  client: RedisClient,
  keys: RedisKeys,
): Required<Pick<SnapshotStore, 'load' | 'save' | 'delete' | 'setAside'>> {
  return {
    async load(key) {
      const [snapshot] = listIn(await runScript(client, loadSnapshot, [keys.snapshot(key)]))
      return await snapshotIn(snapshot)
    },
    async save(key, snapshot) {
      const names = [keys.snapshot(key), keys.failure(key)]
      await runScript(client, saveSnapshot, names, snapshotArguments(snapshot, freshIdentifier()))
    },
    async delete(key) {
      await runScript(client, deleteSnapshot, [keys.snapshot(key)])
    },
    async setAside(key) {
      await runScript(client, setAsideSnapshot, [keys.snapshot(key), keys.refused(key)], [String(REFUSED_KEPT_FOR)])
    },
  }
}

/** Returns the first three arguments of the scripts that save a snapshot. */
export function snapshotArguments(snapshot: Snapshot, generation: string): string[] {
  return [JSON.stringify(snapshot), generation, keepUntilArgument(snapshot)]
}

/** A random identifier: compared for equality only. */
export function freshIdentifier(): string {
  return randomBytes(16).toString('hex')
}

/** Milliseconds since the epoch; empty, for no expiry, where it is no time. */
function keepUntilArgument({ keepUntil }: Snapshot): string {
  const time = keepUntil === null ? Number.NaN : Date.parse(keepUntil)
  return Number.isNaN(time) ? '' : String(time)
}

import type { TombstoneStore } from '@jwks-auth/core'
import type { RedisKeys } from './keys.ts'
import { encodeNotice } from './notices.ts'
import type { RedisClient } from './redis-client.ts'
import { listIn, recordIn, textIn } from './replies.ts'
import { runScript } from './run-script.ts'
import { loadTombstones, saveTombstone, tombstonesRevision } from './scripts.ts'
import { freshIdentifier } from './snapshots.ts'

/** The revision while there is nothing. */
const EMPTY = 'empty'

/** The field that is no tombstone: those have 32 hexadecimal digits. */
const REVISION_FIELD = 'revision'

/**
 * All revocations in one hash that never expires. Its revision is a field of it, new at random with each save: it goes
 * with what it is about when that is lost, and an older one comes back when an older hash does.
 *
 * @param channel - where saves are told of; `undefined` to tell nobody
 */
export function tombstones(client: RedisClient, keys: RedisKeys, channel: string | undefined): TombstoneStore {
  return Object.freeze({
    async revision() {
      return textIn(await runScript(client, tombstonesRevision, [keys.tombstones])) ?? EMPTY
    },
    async load() {
      const reply = listIn(await runScript(client, loadTombstones, [keys.tombstones]))
      return reply.filter((_, index) => index % 2 === 1 && reply[index - 1] !== REVISION_FIELD).map(recordIn)
    },
    async save(id, tombstone) {
      if (!/^[0-9a-f]{32}$/.test(id)) throw new TypeError('the id of a tombstone must be 32 hexadecimal digits')
      const values = [
        id,
        JSON.stringify(tombstone),
        freshIdentifier(),
        channel ?? '',
        encodeNotice({ kind: 'tombstones' }),
      ]
      await runScript(client, saveTombstone, [keys.tombstones], values)
    },
  } satisfies TombstoneStore)
}

import type { RevocationStore } from '@jwks-auth/core'
import type { RedisKeys } from './keys.ts'
import { encodeNotice } from './notices.ts'
import type { RedisClient } from './redis-client.ts'
import { listIn, recordIn, textIn } from './replies.ts'
import { runScript } from './run-script.ts'
import { LONGEST_RECORD, revocationsRevision, saveRevocation, scanRevocations } from './scripts.ts'
import { freshIdentifier } from './snapshots.ts'

/** The revision while there is none. */
const EMPTY = 'empty'

/** The one field that is no revocation: those have 32 hexadecimal digits. */
const REVISION_FIELD = 'revision'

/** Records that one command reads: it takes the server about a millisecond. */
const PAGE = '1000'

/** Records that one load reads. Together with their length, this bounds its memory. */
const MOST_RECORDS = 20_000

/**
 * Creates revocations in one hash that never expires. Its revision is a field of it, random with each save: it is lost
 * with the content, and an older one returns when an older hash does.
 *
 * @param channel - where saves are announced; `undefined` for nowhere
 */
export function revocations(client: RedisClient, keys: RedisKeys, channel: string | undefined): RevocationStore {
  return Object.freeze({
    async revision() {
      return textIn(await runScript(client, revocationsRevision, [keys.revocations])) ?? EMPTY
    },
    async load() {
      // HSCAN may return a field twice.
      const records = new Map<unknown, unknown>()
      let cursor: unknown = '0'
      do {
        const [next, ...entries] = listIn(
          await runScript(client, scanRevocations, [keys.revocations], [String(cursor), PAGE]),
        )
        for (let index = 0; index < entries.length; index += 2) records.set(entries[index], entries[index + 1])
        cursor = next
      } while (typeof cursor === 'string' && cursor !== '0' && records.size <= MOST_RECORDS)
      records.delete(REVISION_FIELD)
      const values = [...records.values()].slice(0, MOST_RECORDS).map(recordIn)
      return records.size > MOST_RECORDS
        ? [...values, `more than ${MOST_RECORDS} records: the rest was not read`]
        : values
    },
    async save(id, revocation) {
      if (!/^[0-9a-f]{32}$/.test(id)) throw new TypeError('the id of a revocation must be 32 hexadecimal digits')
      const record = JSON.stringify(revocation)
      const length = Buffer.byteLength(record)
      if (length > LONGEST_RECORD)
        throw new RangeError(`${length} bytes are more than the ${LONGEST_RECORD} that are read again`)
      const values = [id, record, freshIdentifier(), channel ?? '', encodeNotice({ kind: 'revocations' })]
      await runScript(client, saveRevocation, [keys.revocations], values)
    },
  } satisfies RevocationStore)
}

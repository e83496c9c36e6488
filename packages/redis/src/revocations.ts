import type { RevocationStore } from '@jwks-auth/core'
import type { RedisKeys } from './keys.ts'
import { encodeNotice } from './notices.ts'
import type { RedisClient } from './redis-client.ts'
import { listIn, recordIn, textIn } from './replies.ts'
import { runScript } from './run-script.ts'
import { loadRevocations, saveRevocation, revocationsRevision } from './scripts.ts'
import { freshIdentifier } from './snapshots.ts'

/** The revision while there is nothing. */
const EMPTY = 'empty'

/** The field that is no revocation: those have 32 hexadecimal digits. */
const REVISION_FIELD = 'revision'

/**
 * All revocations in one hash that never expires. Its revision is a field of it, new at random with each save: it goes
 * with what it is about when that is lost, and an older one comes back when an older hash does.
 *
 * @param channel - where saves are told of; `undefined` to tell nobody
 */
export function revocations(client: RedisClient, keys: RedisKeys, channel: string | undefined): RevocationStore {
  return Object.freeze({
    async revision() {
      return textIn(await runScript(client, revocationsRevision, [keys.revocations])) ?? EMPTY
    },
    async load() {
      const reply = listIn(await runScript(client, loadRevocations, [keys.revocations]))
      return reply.filter((_, index) => index % 2 === 1 && reply[index - 1] !== REVISION_FIELD).map(recordIn)
    },
    async save(id, revocation) {
      if (!/^[0-9a-f]{32}$/.test(id)) throw new TypeError('the id of a revocation must be 32 hexadecimal digits')
      const values = [
        id,
        JSON.stringify(revocation),
        freshIdentifier(),
        channel ?? '',
        encodeNotice({ kind: 'revocations' }),
      ]
      await runScript(client, saveRevocation, [keys.revocations], values)
    },
  } satisfies RevocationStore)
}

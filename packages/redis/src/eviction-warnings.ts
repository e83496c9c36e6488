import type { RedisKeys } from './keys.ts'
import type { RedisClient } from './redis-client.ts'
import { textIn } from './replies.ts'
import { runScript } from './run-script.ts'
import { evictionPolicy } from './scripts.ts'

/** Warns where the server may evict revocations, which never expire. A server that hides its policy is not judged. */
export async function evictionWarnings(client: RedisClient, keys: RedisKeys): Promise<readonly string[]> {
  const policy = await runScript(client, evictionPolicy, [keys.revocations]).then(textIn, () => undefined)
  if (policy === undefined || !policy.startsWith('allkeys-')) return []
  return [
    `Redis evicts any key when its memory is full (maxmemory-policy ${policy}), revocations among them: ` +
      'set it to noeviction or one of volatile-*',
  ]
}

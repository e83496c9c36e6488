import type { RedisClient } from './redis-client.ts'
import type { Script } from './scripts.ts'

/** Runs a script on the server, in one round trip where the server knows it, else in two. */
export async function runScript(
  client: RedisClient,
  { lua, sha1 }: Script,
  keys: readonly string[],
  values: readonly string[] = [],
): Promise<unknown> {
  try {
    return await client.evalsha(sha1, keys.length, ...keys, ...values)
  } catch (error) {
    // Restarted, failed over or flushed. Nothing has run, so it is safe to send it whole; the server knows it then.
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return client.eval(lua, keys.length, ...keys, ...values)
  }
}

import type { RedisClient } from './redis-client.ts'
import type { Script } from './scripts.ts'

/**
 * Runs a script on the server, in one round trip where the server knows it, otherwise in two. Rejects with the client's
 * error, and with a `TypeError` where the client returns no promise, as node-redis 3 does.
 */
export async function runScript(
  client: RedisClient,
  { lua, sha1 }: Script,
  keys: readonly string[],
  values: readonly string[] = [],
): Promise<unknown> {
  try {
    return await promised('evalsha', client.evalsha(sha1, keys.length, ...keys, ...values))
  } catch (error) {
    // Restarted, failed over or flushed. Nothing has run, so it is safe to send the script; the server knows it then.
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await promised('eval', client.eval(lua, keys.length, ...keys, ...values))
  }
}

function promised(method: string, reply: unknown): PromiseLike<unknown> {
  if (isThenable(reply)) return reply
  throw new TypeError(`client.${method} must return a promise: see "Another client" in the README of @jwks-auth/redis`)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

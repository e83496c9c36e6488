import type { SnapshotStore } from '@jwks-auth/core'
import { coordination } from './coordination.ts'
import { evictionWarnings } from './eviction-warnings.ts'
import { redisKeys } from './keys.ts'
import type { RedisClient } from './redis-client.ts'
import { snapshots } from './snapshots.ts'
import { checkStoreOptions } from './store-options.ts'
import { revocations } from './revocations.ts'

/** The options of {@link redisStore}. */
export interface RedisStoreOptions {
  /**
   * The client, yours to make and to close: `Redis` or `Cluster` of ioredis 5 or 6. A `keyPrefix` is put before keys and
   * the channel; it must not begin its first braces with `{}`, which would tear apart what Redis Cluster has to keep in
   * one slot.
   */
  readonly client: RedisClient
  /**
   * What all keys and the channel begin with: 1 to 64 of `A-Z a-z 0-9 _ . : -`. Default `'jwks-auth'`. Processes that
   * share it share snapshots, revocations and leases, so they share the `integrityKey`, too.
   */
  readonly namespace?: string | undefined
  /**
   * Whether processes share their fetches and their budget for unknown `kid`s, and tell each other of changes. Default
   * `true`. With `false` there are snapshots and revocations only, and each process fetches for itself.
   */
  readonly coordinate?: boolean | undefined
}

/**
 * Keeps key sets and revocations in Redis or Valkey, and has one process of a fleet fetch for all. Its methods reject
 * with what the client rejects with; a registry makes an event `store-failed` of that, and fails no request.
 *
 * @throws TypeError that names a wrong option
 */
export function redisStore(options: RedisStoreOptions): SnapshotStore {
  const { client, namespace, coordinate, keyPrefix } = checkStoreOptions(options)
  const keys = redisKeys(namespace, keyPrefix)
  return Object.freeze({
    isShared: true,
    ...snapshots(client, keys),
    warnings: () => evictionWarnings(client, keys),
    revocations: revocations(client, keys, coordinate ? keys.channel : undefined),
    ...(coordinate && { coordination: coordination(client, keys) }),
  } satisfies SnapshotStore)
}

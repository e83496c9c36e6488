import type { SnapshotStore } from '@jwks-auth/core'
import { coordination } from './coordination.ts'
import { evictionWarnings } from './eviction-warnings.ts'
import { redisKeys } from './keys.ts'
import type { RedisClient } from './redis-client.ts'
import { revocations } from './revocations.ts'
import { snapshots } from './snapshots.ts'
import { checkStoreOptions } from './store-options.ts'

/** The options of {@link redisStore}. */
export interface RedisStoreOptions {
  /**
   * The client, yours to make and to close: `Redis` or `Cluster` of ioredis (5.11 or later, or 6) or iovalkey, or a
   * {@link RedisClient} of your own. A `keyPrefix` is put before keys and the channel; its first braces must not be `{}`,
   * which would spread the keys of one provider over several slots of Redis Cluster.
   */
  readonly client: RedisClient
  /**
   * The prefix of all keys and of the channel: 1 to 64 of `A-Z a-z 0-9 _ . : -`. Default `'jwks-auth'`. Processes that
   * use the same one share snapshots, revocations and leases, and therefore need the same `integrityKey`.
   */
  readonly namespace?: string | undefined
  /**
   * Whether processes share their fetches, their failures and their budget for unknown `kid`s, and notify each other of
   * changes. Default `true`. With `false` there are snapshots and revocations only, and each process fetches for itself.
   */
  readonly coordinate?: boolean | undefined
}

/**
 * Keeps key sets and revocations in Redis or Valkey, and lets one process of a fleet fetch for all. Its methods reject
 * with the client's error; a registry emits `store-failed` for that, and fails no request. Nothing in Redis is trusted:
 * at most 16 MiB of a snapshot and 8 KiB of each of 20 000 revocations are read, and a lease, refetch or failure without
 * an expiry, or with a longer one than was asked for, counts as expired.
 *
 * @throws TypeError that names a wrong option, or what the client lacks
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

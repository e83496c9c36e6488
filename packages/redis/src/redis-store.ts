import type { SnapshotStore } from '@jwks-auth/core'
import { coordination } from './coordination.ts'
import { evictionWarnings } from './eviction-warnings.ts'
import { redisKeys } from './keys.ts'
import { revocations } from './revocations.ts'
import { snapshots } from './snapshots.ts'
import { checkStoreOptions, type RedisStoreOptions } from './store-options.ts'

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

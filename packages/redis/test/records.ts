import type { FleetCoordination, ProviderKey, RevocationStore, Snapshot, SnapshotStore } from '@jwks-auth/core'
import { type RedisStoreOptions, redisStore } from '@jwks-auth/redis'

/** A store as this package makes it: everything that is optional in general is there. */
export interface WholeStore extends SnapshotStore {
  setAside(key: ProviderKey): Promise<void>
  warnings(): Promise<readonly string[]>
  readonly revocations: RevocationStore
  readonly coordination: FleetCoordination
}

/** The store that a registry would be given. */
export function storeOf(options: RedisStoreOptions): WholeStore {
  const { setAside, warnings, revocations, coordination, ...store } = redisStore(options)
  if (!setAside || !warnings || !revocations || !coordination) throw new Error('the store is not whole')
  return { ...store, setAside, warnings, revocations, coordination }
}

/** A snapshot with nothing of interest but what is told apart. */
export function snapshotOf(payload: string, keepUntil: string | null = null): Snapshot {
  return { version: 1, payload, keepUntil, integrity: `sha256:${payload}` }
}

/** The time so many milliseconds from now, as snapshots have it. */
export function isoTimeIn(delay: number): string {
  return new Date(Date.now() + delay).toISOString()
}

/** The id of a revocation. */
export function idOf(number: number): string {
  return number.toString(16).padStart(32, '0')
}

let providers = 0

/** The key of a provider that no other test uses. */
export function newKey(): ProviderKey {
  return { tenant: 'acme', provider: `provider-${providers++}` }
}

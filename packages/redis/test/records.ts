import type { FleetCoordination, ProviderKey, RevocationStore, Snapshot, SnapshotStore } from '@jwks-auth/core'
import { type RedisStoreOptions, redisStore } from '@jwks-auth/redis'

/** A store with all optional parts. */
export interface WholeStore extends SnapshotStore {
  setAside(key: ProviderKey): Promise<void>
  warnings(): Promise<readonly string[]>
  readonly revocations: RevocationStore
  readonly coordination: Required<FleetCoordination>
}

/** The store that a registry would be given. */
export function storeOf(options: RedisStoreOptions): WholeStore {
  const { setAside, warnings, revocations, coordination, ...store } = redisStore(options)
  const { shareFailure } = coordination ?? {}
  if (!setAside || !warnings || !revocations || !coordination || !shareFailure) throw new Error('a part is missing')
  return { ...store, setAside, warnings, revocations, coordination: { ...coordination, shareFailure } }
}

/** A snapshot that differs by its payload only. */
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

import { functionOption, objectOption, stringsOption } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'

/**
 * What a store keeps: text, and proof of who wrote it. Plain JSON, to be handed back as it was given; only this package
 * reads or writes what is inside.
 */
export interface Snapshot {
  /** The version of this form. */
  readonly version: 1
  /** JSON as text, so that no store can reorder or round what the proof is about. */
  readonly payload: string
  /** Until when it is worth keeping, ISO 8601 in UTC; `null` for ever. */
  readonly keepUntil: string | null
  /** `hmac-sha256:` or, without an `integrityKey`, `sha256:` over all of the above, in base64url. */
  readonly integrity: string
}

/**
 * Keeps key sets across restarts. `tenant` and `provider` are case-sensitive, at most 64 of `A-Z a-z 0-9 _ . -`; for
 * records of its own the registry puts a word before the provider's name that no registration can have, such as
 * `.revoked.NAME`. An error of a method is reported by the event `store-failed`, and fails no request.
 */
export interface SnapshotStore {
  /** What was saved last under this key; `undefined` where there is nothing. What is no snapshot is refused with an event. */
  load(key: ProviderKey): Promise<unknown>
  /** Replaces what is kept under this key, as a whole or not at all. */
  save(key: ProviderKey, snapshot: Snapshot): Promise<void>
  /** Forgets what is kept under this key; nothing to forget is no error. */
  delete(key: ProviderKey): Promise<void>
  /** True where others than this machine's user can write to it: `integrityKey` is required then. Default `false`. */
  readonly isShared?: boolean
  /** Keeps a copy of what is under this key, because it was refused. Default: `save` under `.refused.NAME`. */
  setAside?(key: ProviderKey): Promise<void>
  /** Sentences that an operator should read once, such as that the directory is writable by everybody. */
  warnings?(): Promise<readonly string[]>
  /** Revocations, each atomic. Default: a list under `.revoked.NAME`, read and written back with each change. */
  readonly revocations?: RevocationStore
  /** What processes need that share their fetches. Default: each fetches for itself. */
  readonly coordination?: FleetCoordination
}

/** Keeps the revocations of all providers, apart from snapshots. Records are never deleted: lifting one is a record, too. */
export interface RevocationStore {
  /** Changes with every `save` of any process, and when the store loses its content. Cheap: called every two seconds. */
  revision(): Promise<string>
  /** Returns all records, in any order. */
  load(): Promise<readonly unknown[]>
  /** Adds or replaces the record with this id, 32 hexadecimal digits; touches no other. */
  save(id: string, record: Snapshot): Promise<void>
}

/** State of a provider's fetch lease in the fleet. */
export interface LeaseState {
  /** `'own'`: the caller holds the lease; `'other'`: another process holds it; `'none'`: the lease is free. */
  readonly holder: 'own' | 'other' | 'none'
  /** Changes with every snapshot that is saved; only compared for equality. `undefined` where no snapshot is stored. */
  readonly generation: string | undefined
  /**
   * The record of {@link FleetCoordination.shareFailure}, until its `ttl` is over or a snapshot is saved. Absent or
   * `undefined` where there is none.
   */
  readonly failure?: unknown
}

/** A snapshot with the generation that it was saved as. */
export interface VersionedSnapshot {
  /** As {@link SnapshotStore.load} returns it. */
  readonly snapshot: unknown
  /** As in {@link LeaseState.generation}. */
  readonly generation: string | undefined
}

/** A hint to load: another process of the fleet has changed a provider's snapshot or the revocations, or may have. */
export type FleetNotice =
  | {
      /** A snapshot was saved, or a failed fetch was shared. */
      readonly kind: 'snapshot'
      /** The provider. */
      readonly key: ProviderKey
    }
  | {
      /** A revocation was made or lifted. */
      readonly kind: 'revocations'
    }
  | {
      /** Notices no longer arrive: the subscription was refused or its connection is gone. The store keeps trying. */
      readonly kind: 'interrupted'
      /** The client's error. */
      readonly cause?: unknown
    }
  | {
      /** Notices arrive again after an interruption; changes made meanwhile were not announced. */
      readonly kind: 'resumed'
    }

/**
 * Lets one process of a fleet fetch for all. Nothing that comes through here is trusted: a notice is only a reason to
 * load, a generation is only compared for equality, and records are signed. Lease and refetch ids are 32 hexadecimal
 * digits, durations are milliseconds. What is stored without an expiry, or with a longer one than was asked for, counts
 * as expired.
 */
export interface FleetCoordination {
  /** Takes the lease for `ttl` if it is free or already held with this `leaseId`; atomic, also reads the state. */
  acquire(key: ProviderKey, leaseId: string, ttl: number): Promise<LeaseState>
  /** Extends the lease to `ttl` from now; false where `leaseId` no longer holds it. */
  renew(key: ProviderKey, leaseId: string, ttl: number): Promise<boolean>
  /** Releases the lease; does nothing where `leaseId` no longer holds it. */
  release(key: ProviderKey, leaseId: string): Promise<void>
  /** Reads the state, for waiting processes. */
  inspect(key: ProviderKey): Promise<LeaseState>
  /** Reads the snapshot and its generation in one step. */
  load(key: ProviderKey): Promise<VersionedSnapshot>
  /**
   * Saves as generation `next` if the generation is still `expected`, removes the shared failure and notifies the fleet;
   * atomic. False where another process has saved meanwhile, which fences off a holder that slept past its lease.
   */
  saveIf(key: ProviderKey, snapshot: Snapshot, expected: string | undefined, next: string): Promise<boolean>
  /**
   * Shares a failed fetch for `ttl` and notifies the fleet, where `leaseId` still holds the lease; does nothing
   * otherwise. Optional: without it, each process backs off alone.
   */
  shareFailure?(key: ProviderKey, leaseId: string, failure: Snapshot, ttl: number): Promise<void>
  /** Reserves the fleet's refetch budget for unknown `kid`s for `cooldown`; false where it is spent. */
  reserveRefetch(key: ProviderKey, refetchId: string, cooldown: number): Promise<boolean>
  /** Returns the budget that `refetchId` reserved; does nothing where another refetch has reserved it since. */
  returnRefetch(key: ProviderKey, refetchId: string): Promise<void>
  /** Notifies of changes that other processes made, until the returned function is called. Messages may get lost. */
  subscribe(listener: (notice: FleetNotice) => void): () => void
}

/** RFC 2104 §3: a key shorter than the hash is weaker than the hash. */
const SHORTEST_KEY = 32

/**
 * Checks that something is a store.
 *
 * @throws TypeError that names what it lacks
 */
export function checkStore(value: unknown): SnapshotStore {
  const store = objectOption('store', value)
  for (const method of ['load', 'save', 'delete']) functionOption(`store.${method}`, store[method])
  return value as SnapshotStore
}

/**
 * Checks the keys that authenticate a store's content.
 *
 * @throws TypeError for a short key, or for none where the store is shared
 */
export function checkIntegrityKeys(value: unknown, store: SnapshotStore | undefined): readonly string[] {
  if (value === false) return []
  if (value === undefined) {
    if (store?.isShared === true) {
      throw new TypeError(
        'integrityKey is required with a store that is shared: a secret of at least 32 bytes, or false to trust whoever can write to it',
      )
    }
    return []
  }
  const keys = stringsOption('integrityKey', value)
  for (const key of keys) {
    if (Buffer.byteLength(key) < SHORTEST_KEY) throw new TypeError('integrityKey must have at least 32 bytes')
  }
  return keys
}

/**
 * Checks what a method of a store that answers with a boolean has returned.
 *
 * @throws TypeError that names the method, for anything else
 */
export function checkedAnswer(method: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${method}() must return a boolean`)
  return value
}

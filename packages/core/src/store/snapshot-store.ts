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
  /** Until when it is worth keeping, ISO 8601 in UTC; `null` for good. */
  readonly keepUntil: string | null
  /** `hmac-sha256:` or, without an `integrityKey`, `sha256:` over all of the above, in base64url. */
  readonly integrity: string
}

/**
 * Keeps key sets across restarts. `tenant` and `provider` are case-sensitive, at most 64 of `A-Z a-z 0-9 _ . -`; for
 * records of its own the registry puts a word before the provider's name that no registration can have, such as
 * `.revoked.NAME`. What a method rejects with is told in the event `store-failed`, and fails no request.
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
  readonly tombstones?: TombstoneStore
  /** What processes need that share their fetches. Default: each fetches for itself. */
  readonly coordination?: FleetCoordination
}

/** Keeps the revocations of all providers, apart from snapshots. None is ever deleted: lifting one is a record, too. */
export interface TombstoneStore {
  /** Changes with every `save` of any process, and when the store has lost its content. Cheap: asked every two seconds. */
  revision(): Promise<string>
  /** All records, in any order. */
  load(): Promise<readonly unknown[]>
  /** Adds the record of this id, 32 hexadecimal digits, or replaces it; touches no other. */
  save(id: string, tombstone: Snapshot): Promise<void>
}

/** How a provider stands in the fleet. */
export interface LeaseState {
  /** `'own'`: the caller has the lease; `'other'`: another process has it; `'none'`: nobody has. */
  readonly holder: 'own' | 'other' | 'none'
  /** Changes with every snapshot that is saved; compared, never counted. `undefined` where no snapshot is kept. */
  readonly generation: string | undefined
}

/** A snapshot with the generation that it was saved as. */
export interface VersionedSnapshot {
  /** As {@link SnapshotStore.load} has it. */
  readonly snapshot: unknown
  /** As {@link LeaseState.generation} has it. */
  readonly generation: string | undefined
}

/** A reason to look: some process of the fleet has changed a provider's snapshot or the revocations, or may have. */
export type FleetNotice =
  | {
      /** A snapshot was saved. */
      readonly kind: 'snapshot'
      /** Of which provider. */
      readonly key: ProviderKey
    }
  | {
      /** A revocation was made or lifted. */
      readonly kind: 'tombstones'
    }
  | {
      /** Notices come again after an interruption; what was changed meanwhile is not told. */
      readonly kind: 'resumed'
    }

/**
 * Has one process of a fleet fetch for all. Nothing that comes through here is believed: a notice is only a reason to
 * load, and a generation only compared for equality. Tokens are 32 hexadecimal digits, durations milliseconds.
 */
export interface FleetCoordination {
  /** Takes the lease for `ttl` if nobody has it, or if `token` does; atomically, with the generation at that moment. */
  acquire(key: ProviderKey, token: string, ttl: number): Promise<LeaseState>
  /** Prolongs the lease to `ttl` from now; false where `token` no longer has it. */
  renew(key: ProviderKey, token: string, ttl: number): Promise<boolean>
  /** Gives the lease back; nothing happens where `token` no longer has it. */
  release(key: ProviderKey, token: string): Promise<void>
  /** How things stand, for whoever waits. */
  inspect(key: ProviderKey): Promise<LeaseState>
  /** The snapshot and its generation, read in one. */
  load(key: ProviderKey): Promise<VersionedSnapshot>
  /**
   * Saves as generation `next` if the generation is still `expected`, and tells the fleet; atomically. False where
   * another process has saved meanwhile: so is a holder fenced off that slept past its lease.
   */
  saveIf(key: ProviderKey, snapshot: Snapshot, expected: string | undefined, next: string): Promise<boolean>
  /** Spends the fleet's budget for unknown `kid`s for `cooldown`; false where it is spent. */
  spendLook(key: ProviderKey, token: string, cooldown: number): Promise<boolean>
  /** Gives the budget back that `token` spent; nothing happens where another look has spent it since. */
  giveBackLook(key: ProviderKey, token: string): Promise<void>
  /** Tells of changes that other processes made, until the returned function is called. Messages may get lost. */
  subscribe(listener: (notice: FleetNotice) => void): () => void
}

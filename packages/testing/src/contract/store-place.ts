import type { SnapshotStore } from '@jwks-auth/core'

/** A place for snapshots: a directory, a table, a server. */
export interface StorePlace {
  /** Makes a store over this place. Called several times: each is another process, and sees what the others save. */
  open(): SnapshotStore | Promise<SnapshotStore>
  /** Clears up, after the case. */
  dispose?(): void | Promise<void>
}

/** An optional part of a store. */
export type StorePart = 'setAside' | 'revocations' | 'coordination'

/** What one case of the contract works with. */
export interface Scene {
  /** A store over a place that is new and empty. */
  readonly store: SnapshotStore
  /** Another store over the same place. */
  readonly open: () => Promise<SnapshotStore>
}

/** A sentence about stores, and a check that rejects where it does not hold. */
export type Case = readonly [name: string, check: (scene: Scene) => Promise<void>]

/** Returns a part of a store; throws where it is missing. */
export function partOf<Part extends StorePart>(store: SnapshotStore, part: Part): NonNullable<SnapshotStore[Part]> {
  const found = store[part]
  if (found === undefined) throw new Error(`the store has no ${part}`)
  return found
}

import type { SnapshotStore } from '@jwks-auth/core'

/** Somewhere to keep snapshots: a directory, a table, a server. */
export interface StorePlace {
  /** Makes a store over this place. Called several times: each is another process, and sees what the others save. */
  open(): SnapshotStore | Promise<SnapshotStore>
  /** Clears up, after the case. */
  dispose?(): void | Promise<void>
}

/** What a store may have besides loading, saving and deleting. */
export type StorePart = 'setAside' | 'revocations' | 'coordination'

/** What one case of the contract works with. */
export interface Scene {
  /** A store over a place that is new and empty. */
  readonly store: SnapshotStore
  /** Another store over the same place. */
  readonly open: () => Promise<SnapshotStore>
}

/** A sentence about every store, and how to find out whether it holds. */
export type Case = readonly [name: string, check: (scene: Scene) => Promise<void>]

/** A part of a store that it has to have. */
export function partOf<Part extends StorePart>(store: SnapshotStore, part: Part): NonNullable<SnapshotStore[Part]> {
  const found = store[part]
  if (found === undefined) throw new Error(`the store has no ${part}`)
  return found
}

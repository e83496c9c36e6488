import { functionOption, objectOption, stringsOption } from '../base/options.ts'
import type { SnapshotStore } from './snapshot-store.ts'

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

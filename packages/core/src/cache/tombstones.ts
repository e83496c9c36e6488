import { calculateJwkThumbprint } from 'jose'
import { createKeySet, type KeySet } from '../keys/key-set.ts'
import type { VerificationKey } from '../keys/verification-key.ts'

/** The revoked keys of one provider. They outlive its cache, its registration and every refresh. */
export interface Tombstones {
  /** True for a revoked `kid`. */
  has(kid: string): boolean
  /** Revokes a `kid`, and the material that the set has under it, whatever name that comes back under. */
  add(kid: string, keySet: KeySet | undefined): Promise<void>
  /** Takes a revocation back; false when there was none. */
  remove(kid: string): boolean
  /** Changes whenever something is revoked or taken back. */
  version(): number
  /** The set without what is revoked; the same object when nothing is. */
  filter(keySet: KeySet): KeySet | Promise<KeySet>
}

/** No revoked keys, to begin with. */
export function createTombstones(): Tombstones {
  /** RFC 7638 thumbprints of the material, by revoked `kid`. */
  const revoked = new Map<string, Set<string>>()
  let version = 0

  async function filterByThumbprint(keySet: KeySet): Promise<KeySet> {
    const thumbprints = new Set([...revoked.values()].flatMap((ofKid) => [...ofKid]))
    const kept: VerificationKey[] = []
    for (const key of keySet.keys) {
      if (key.kid !== undefined && revoked.has(key.kid)) continue
      if (!thumbprints.has(await calculateJwkThumbprint(key.jwk))) kept.push(key)
    }
    return createKeySet(kept)
  }

  return {
    has: (kid) => revoked.has(kid),
    async add(kid, keySet) {
      const thumbprints = revoked.get(kid) ?? new Set<string>()
      revoked.set(kid, thumbprints)
      version += 1
      for (const key of keySet?.byKid.get(kid) ?? []) thumbprints.add(await calculateJwkThumbprint(key.jwk))
      version += 1
    },
    remove(kid) {
      version += 1
      return revoked.delete(kid)
    },
    version: () => version,
    filter: (keySet) => (revoked.size === 0 ? keySet : filterByThumbprint(keySet)),
  }
}

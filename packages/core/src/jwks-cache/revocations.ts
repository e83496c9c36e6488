import { randomBytes } from 'node:crypto'
import { createKeySet, type KeySet } from '../jwks/key-set.ts'
import { thumbprintOf } from '../jwks/verification-key.ts'

/** One revocation. Revoking a `kid` again after it was lifted creates a new record. */
export interface Revocation {
  /** 32 hexadecimal digits. */
  readonly id: string
  readonly kid: string
  /** RFC 7638 thumbprints of the keys that were published under the `kid`. */
  readonly thumbprints: readonly string[]
  /** True once it was lifted, which is permanent. */
  readonly isLifted: boolean
}

/**
 * The revoked keys of one provider. They outlive its cache, its registration and every refresh. A key is revoked if its
 * `kid` or its thumbprint is.
 */
export interface Revocations {
  /** True for a revoked `kid`. */
  has(kid: string): boolean
  /**
   * Revokes a `kid` and the keys that the set has under it.
   *
   * @returns the record; the existing one where that says as much
   */
  revoke(kid: string, published: KeySet | undefined): Revocation
  /** Lifts all revocations of a `kid`; returns the changed records. */
  lift(kid: string): readonly Revocation[]
  /** Returns every record. */
  records(): readonly Revocation[]
  /** Merges a record of another process; false where it brings nothing new. In any order, any number of times. */
  merge(record: Revocation): boolean
  /** Returns the set without revoked keys; the same object where none is revoked. */
  filter(keySet: KeySet): KeySet
  /** Adds thumbprints to records made when the `kid` was not cached; returns the changed records. */
  complete(keySet: KeySet): readonly Revocation[]
}

/** Creates an empty set of revocations. */
export function createRevocations(): Revocations {
  const records = new Map<string, Revocation>()
  let revokedKids: ReadonlyMap<string, readonly Revocation[]> = new Map()
  let revokedThumbprints: ReadonlySet<string> = new Set()

  function put(...changed: readonly Revocation[]): void {
    if (changed.length === 0) return
    for (const record of changed) records.set(record.id, record)
    const inForce = [...records.values()].filter(({ isLifted }) => !isLifted)
    revokedKids = groupByKid(inForce)
    revokedThumbprints = new Set(inForce.flatMap(({ thumbprints }) => thumbprints))
  }

  return {
    has: (kid) => revokedKids.has(kid),
    revoke(kid, published) {
      const thumbprints = [...new Set((published?.byKid.get(kid) ?? []).map(thumbprintOf))]
      const existing = revokedKids
        .get(kid)
        ?.find((record) => thumbprints.every((thumbprint) => record.thumbprints.includes(thumbprint)))
      if (existing !== undefined) return existing
      const record: Revocation = { id: randomBytes(16).toString('hex'), kid, thumbprints, isLifted: false }
      put(record)
      return record
    },
    lift(kid) {
      const lifted = (revokedKids.get(kid) ?? []).map((record) => ({ ...record, isLifted: true }))
      put(...lifted)
      return lifted
    },
    records: () => [...records.values()],
    merge(record) {
      const known = records.get(record.id)
      const merged = mergeRevocations(known, record)
      if (known?.isLifted === merged.isLifted && known.thumbprints.length === merged.thumbprints.length) return false
      put(merged)
      return true
    },
    filter(keySet) {
      if (revokedKids.size === 0) return keySet
      const kept = keySet.keys.filter(
        (key) => !(key.kid !== undefined && revokedKids.has(key.kid)) && !revokedThumbprints.has(thumbprintOf(key)),
      )
      return kept.length === keySet.keys.length ? keySet : createKeySet(kept)
    },
    complete({ byKid }) {
      const completed = [...revokedKids.values()].flat().flatMap((record) => {
        const keys = byKid.get(record.kid)
        if (record.thumbprints.length > 0 || keys === undefined) return []
        return [{ ...record, thumbprints: [...new Set(keys.map(thumbprintOf))] }]
      })
      put(...completed)
      return completed
    },
  }
}

/** Merges what two processes know of one revocation: all thumbprints, and lifted if either says so. */
export function mergeRevocations(one: Revocation | undefined, other: Revocation): Revocation {
  if (one === undefined) return other
  const thumbprints = [...new Set([...one.thumbprints, ...other.thumbprints])]
  return { ...one, thumbprints, isLifted: one.isLifted || other.isLifted }
}

function groupByKid(records: readonly Revocation[]): ReadonlyMap<string, readonly Revocation[]> {
  const byKid = new Map<string, Revocation[]>()
  for (const record of records) {
    const same = byKid.get(record.kid)
    if (same === undefined) byKid.set(record.kid, [record])
    else same.push(record)
  }
  return byKid
}

import { randomBytes } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { createKeySet, type KeySet } from '../jwks/key-set.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'

/** One revocation. A later one of the same `kid` is another record, so that the old one's lifting is not about it. */
export interface Revocation {
  /** 32 hexadecimal digits. */
  readonly id: string
  readonly kid: string
  /** RFC 7638 thumbprints of the material that was held under the `kid`. */
  readonly thumbprints: readonly string[]
  /** True once it was taken back, which is for good. */
  readonly isLifted: boolean
}

/** The revoked keys of one provider. They outlive its cache, its registration and every refresh. */
export interface Revocations {
  /** True for a revoked `kid`. */
  has(kid: string): boolean
  /** Revokes a `kid`, and the material that the set has under it, whatever name that comes back under. */
  add(kid: string, keySet: KeySet | undefined): Promise<Revocation>
  /** Takes a revocation back: the records that are changed, none where there was no revocation. */
  lift(kid: string): readonly Revocation[]
  /** Every record. */
  records(): readonly Revocation[]
  /** Takes over what another process knows; false where that was known. In any order, any number of times. */
  unite(record: Revocation): boolean
  /** Changes whenever something is revoked or taken back. */
  version(): number
  /** The set without what is revoked; the same object when nothing is. */
  filter(keySet: KeySet): KeySet | Promise<KeySet>
}

/**
 * No revoked keys, to begin with.
 *
 * @param learned called with a record that has learned its material
 */
export function createRevocations(learned: (record: Revocation) => void = () => undefined): Revocations {
  const records = new Map<string, Revocation>()
  /** Those that are not lifted, by `kid`. */
  const revoked = new Map<string, Revocation[]>()
  let version = 0

  function put(record: Revocation): void {
    records.set(record.id, record)
    const ofKid = [...records.values()].filter(({ kid, isLifted }) => kid === record.kid && !isLifted)
    if (ofKid.length === 0) revoked.delete(record.kid)
    else revoked.set(record.kid, ofKid)
    version += 1
  }

  async function filterByThumbprint(keySet: KeySet): Promise<KeySet> {
    await learnMaterial(keySet)
    const refused = new Set([...revoked.values()].flat().flatMap(({ thumbprints }) => thumbprints))
    const kept: VerificationKey[] = []
    for (const key of keySet.keys) {
      if (key.kid !== undefined && revoked.has(key.kid)) continue
      if (!refused.has(await calculateJwkThumbprint(key.jwk))) kept.push(key)
    }
    return createKeySet(kept)
  }

  /** A revocation made when nothing was held learns its material from the first set that has it. */
  async function learnMaterial({ byKid }: KeySet): Promise<void> {
    for (const { id, kid, thumbprints } of [...revoked.values()].flat()) {
      const keys = byKid.get(kid)
      if (thumbprints.length > 0 || keys === undefined) continue
      const material = await thumbprintsOf(keys)
      const record = records.get(id)
      if (record?.thumbprints.length !== 0) continue
      const complete = { ...record, thumbprints: material }
      put(complete)
      learned(complete)
    }
  }

  return {
    has: (kid) => revoked.has(kid),
    async add(kid, keySet) {
      const id = randomBytes(16).toString('hex')
      // In force before the thumbprints are made, which takes a moment.
      put({ id, kid, thumbprints: [], isLifted: false })
      const thumbprints = await thumbprintsOf(keySet?.byKid.get(kid) ?? [])
      const record: Revocation = { id, kid, thumbprints, isLifted: records.get(id)?.isLifted === true }
      put(record)
      return record
    },
    lift(kid) {
      const lifted = (revoked.get(kid) ?? []).map((record) => ({ ...record, isLifted: true }))
      for (const record of lifted) put(record)
      return lifted
    },
    records: () => [...records.values()],
    unite(record) {
      const known = records.get(record.id)
      const united = uniteRevocations(known, record)
      if (known?.isLifted === united.isLifted && known.thumbprints.length === united.thumbprints.length) return false
      put(united)
      return true
    },
    version: () => version,
    filter: (keySet) => (revoked.size === 0 ? keySet : filterByThumbprint(keySet)),
  }
}

/** What two processes know of one revocation: all material of either, and that it was lifted if either knows that. */
export function uniteRevocations(one: Revocation | undefined, other: Revocation): Revocation {
  if (one === undefined) return other
  const thumbprints = [...new Set([...one.thumbprints, ...other.thumbprints])]
  return { ...one, thumbprints, isLifted: one.isLifted || other.isLifted }
}

async function thumbprintsOf(keys: readonly VerificationKey[]): Promise<readonly string[]> {
  return await Promise.all(keys.map(({ jwk }) => calculateJwkThumbprint(jwk)))
}

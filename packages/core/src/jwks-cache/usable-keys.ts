import { randomBytes } from 'node:crypto'
import {
  compareKeySets,
  createKeySet,
  type KeySet,
  type KeySetChanges,
  type RefusedKey,
  type RefusedKeys,
  summarizeRefused,
} from '../jwks/key-set.ts'
import { thumbprintOf, type VerificationKey } from '../jwks/verification-key.ts'

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

/** Times by `kid`, in milliseconds since the epoch. A list, because a `kid` may be any string, `__proto__` included. */
export type KidTimes = readonly (readonly [kid: string, at: number])[]

/** When immutable keys were learned and forgotten, so that the sets of several processes can be united. */
export interface ImmutableHistory {
  /** When each `kid` became known. */
  readonly learnedAt: KidTimes
  /** When a `kid` was forgotten: a process that learned it before forgets it, too. */
  readonly forgottenAt: KidTimes
}

/** Immutable keys with their history. */
export interface ImmutableKeys {
  readonly keySet: KeySet
  readonly history: ImmutableHistory
}

/** The result of adding a published set. */
export interface AddedKeys extends ImmutableKeys {
  /** What was added; and what upstream has dropped or changed, for information only. */
  readonly changes: KeySetChanges
  readonly refused: RefusedKeys
}

/** How many forgotten `kid`s are remembered; the latest ones. */
const MAX_FORGOTTEN = 1_000

const NOTHING: ImmutableKeys = {
  keySet: createKeySet([]),
  history: { learnedAt: [], forgottenAt: [] },
}

/** Adds the keys whose `kid` is new; known ones stay as they are, whatever is published under their `kid` now. */
export function addPublished(
  known: ImmutableKeys = NOTHING,
  published: KeySet,
  { now, maxKeys }: { readonly now: number; readonly maxKeys: number },
): AddedKeys {
  const { added, removed, changed } = compareKeySets(known.keySet, published)
  const keys = [...known.keySet.keys]
  const [learnedAt, forgottenAt] = [new Map(known.history.learnedAt), new Map(known.history.forgottenAt)]
  const refused: RefusedKey[] = changed.map((kid) => ({ reason: 'immutable', kid }))
  const taken: string[] = []
  for (const kid of added) {
    const ofKid = published.byKid.get(kid) ?? []
    if (keys.length + ofKid.length > maxKeys) {
      refused.push({ reason: 'too-many', kid })
      continue
    }
    keys.push(...ofKid)
    // In the millisecond in which it was forgotten, it counts as learned after.
    learnedAt.set(kid, Math.max(now, (forgottenAt.get(kid) ?? 0) + 1))
    taken.push(kid)
  }
  return {
    keySet: taken.length === 0 ? known.keySet : createKeySet(keys),
    history: { ...known.history, learnedAt: [...learnedAt] },
    changes: { added: taken, removed, changed },
    refused: summarizeRefused(refused),
  }
}

/** Unites two sets: of two keys under one `kid` the one that was learned first wins; forgotten ones are left out. */
export function unite(one: ImmutableKeys = NOTHING, other: ImmutableKeys, maxKeys: number): ImmutableKeys {
  const forgottenAt = latest(one.history.forgottenAt, other.history.forgottenAt)
  const learnedAt = new Map<string, number>()
  const keys: VerificationKey[] = []
  const [learnedByOne, learnedByOther] = [new Map(one.history.learnedAt), new Map(other.history.learnedAt)]
  for (const kid of new Set([...learnedByOne.keys(), ...learnedByOther.keys()])) {
    const forgotten = forgottenAt.get(kid) ?? Number.NEGATIVE_INFINITY
    const [first] = [
      { at: learnedByOne.get(kid), keys: one.keySet.byKid.get(kid) },
      { at: learnedByOther.get(kid), keys: other.keySet.byKid.get(kid) },
    ]
      .filter(({ at, keys: ofKid }) => at !== undefined && at > forgotten && ofKid !== undefined)
      .toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0))
    if (first?.at === undefined || keys.length + (first.keys?.length ?? 0) > maxKeys) continue
    learnedAt.set(kid, first.at)
    keys.push(...(first.keys ?? []))
  }
  return { keySet: createKeySet(keys), history: { learnedAt: [...learnedAt], forgottenAt: latestOf(forgottenAt) } }
}

/** Removes a `kid`, which may be learned again from now on. */
export function forget(known: ImmutableKeys, kid: string, now: number): ImmutableKeys {
  const forgottenAt = new Map(known.history.forgottenAt)
  forgottenAt.delete(kid)
  // Learned in this very millisecond, it counts as learned before.
  forgottenAt.set(kid, Math.max(now, new Map(known.history.learnedAt).get(kid) ?? now))
  return {
    keySet: createKeySet(known.keySet.keys.filter((key) => key.kid !== kid)),
    history: {
      learnedAt: known.history.learnedAt.filter(([learned]) => learned !== kid),
      forgottenAt: latestOf(forgottenAt),
    },
  }
}

/** True where both have the same `kid`s, learned and forgotten at the same times. */
export function isSameHistory(one: ImmutableHistory | undefined, other: ImmutableHistory): boolean {
  return one !== undefined && canonical(one) === canonical(other)
}

function canonical({ learnedAt, forgottenAt }: ImmutableHistory): string {
  const sorted = (times: KidTimes) => times.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([sorted(learnedAt), sorted(forgottenAt)])
}

function latestOf(times: ReadonlyMap<string, number>): KidTimes {
  return times.size <= MAX_FORGOTTEN ? [...times] : [...times].toSorted(([, a], [, b]) => a - b).slice(-MAX_FORGOTTEN)
}

function latest(one: KidTimes, other: KidTimes): Map<string, number> {
  const times = new Map(one)
  for (const [kid, at] of other) times.set(kid, Math.max(at, times.get(kid) ?? at))
  return times
}

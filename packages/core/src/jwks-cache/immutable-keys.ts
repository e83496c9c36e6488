import {
  compareKeySets,
  createKeySet,
  type KeySet,
  type KeySetChanges,
  type RefusedKey,
  type RefusedKeys,
  summarizeRefused,
} from '../jwks/key-set.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'

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

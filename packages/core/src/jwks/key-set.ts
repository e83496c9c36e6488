import { setImmediate as eventLoopTurn } from 'node:timers/promises'
import { isObject } from '../base/options.ts'
import { fitsAlgorithm, type KeyReading, type KeyRefusal, readKey, type VerificationKey } from './verification-key.ts'

/** A key of a set that is not used. */
export interface RefusedKey {
  /** Why it is not used. */
  readonly reason: KeyRefusal
  /** Its id, cut to 256 characters; `undefined` where it has none. */
  readonly kid: string | undefined
}

/** The keys of a set that are not used: how many, and examples of them. */
export interface RefusedKeys {
  /** Entries of the set that are refused, the unread ones beyond `maxKeys` included. */
  readonly count: number
  /** At most ten of them, those with reason `private` first. */
  readonly first: readonly RefusedKey[]
}

/** The usable keys of one JSON Web Key Set. Never changed; a refresh makes a new one. */
export interface KeySet {
  /** The keys in the order in which they were published. */
  readonly keys: readonly VerificationKey[]
  /** The same as a set of objects. */
  readonly members: ReadonlySet<VerificationKey>
  /** The keys by `kid`; several may share one. */
  readonly byKid: ReadonlyMap<string, readonly VerificationKey[]>
  /** The keys by identity, which no two of them share. */
  readonly byIdentity: ReadonlyMap<string, VerificationKey>
}

/** A set that was read, with what was refused of it. */
export interface KeySetReading {
  readonly keySet: KeySet
  readonly refused: RefusedKeys
  /** Material that was published with a private half: none of `keySet`, and no cached key may have it. */
  readonly compromised: ReadonlySet<string>
}

/** Refused keys that are reported one by one. */
const MAX_REPORTED = 10

/** Characters of a refused key's `kid` that are reported. */
const MAX_REPORTED_KID = 256

/** At most this many keys are tried for one token. */
const MAX_CANDIDATES = 4

/** Keys that are read in one turn of the event loop: less than 1 ms. */
const KEYS_PER_TURN = 20

/** Makes a set of keys that were read before; of keys with the same identity, the first is kept. */
export function createKeySet(keys: readonly VerificationKey[]): KeySet {
  const byIdentity = new Map<string, VerificationKey>()
  const byKid = new Map<string, VerificationKey[]>()
  for (const key of keys) {
    if (byIdentity.has(key.identity)) continue
    byIdentity.set(key.identity, key)
    if (key.kid === undefined) continue
    const sameKid = byKid.get(key.kid)
    if (sameKid === undefined) byKid.set(key.kid, [key])
    else sameKid.push(key)
  }
  const unique = [...byIdentity.values()]
  return { keys: unique, members: new Set(unique), byKid, byIdentity }
}

/**
 * Reads a JSON Web Key Set (RFC 7517 §5). A bad key is refused without its neighbours. A key that `known` has unchanged
 * is represented by the same object, so that imports and verified tokens remain valid.
 *
 * @param maxKeys entries of the set that are read; the rest is only counted
 * @param known the keys that are cached now
 * @returns `undefined` when the value is not a key set
 */
export function readKeySet(value: unknown, maxKeys: number, known?: KeySet): KeySetReading | undefined {
  const members = membersOf(value)
  if (members === undefined) return undefined
  return combine(members.slice(0, maxKeys).map(readKey), members.length - maxKeys, known)
}

/**
 * As {@link readKeySet}, some keys at a time: a thousand would stall the event loop for up to 50 ms.
 *
 * @param known is asked once all keys are read, since the cached keys may change meanwhile
 */
export async function readKeySetInTurns(
  value: unknown,
  maxKeys: number,
  known: () => KeySet | undefined,
): Promise<KeySetReading | undefined> {
  const members = membersOf(value)
  if (members === undefined) return undefined
  const readings: KeyReading[] = []
  for (let at = 0; at < Math.min(members.length, maxKeys); at += KEYS_PER_TURN) {
    if (at > 0) await eventLoopTurn()
    readings.push(...members.slice(at, Math.min(at + KEYS_PER_TURN, maxKeys)).map(readKey))
  }
  return combine(readings, members.length - maxKeys, known())
}

function membersOf(value: unknown): readonly unknown[] | undefined {
  const members = isObject(value) ? value['keys'] : undefined
  return Array.isArray(members) ? members : undefined
}

function combine(readings: readonly KeyReading[], unread: number, known: KeySet | undefined): KeySetReading {
  const keys: VerificationKey[] = []
  const refused: RefusedKey[] = []
  const compromised = new Set<string>()
  for (const reading of readings) {
    if (reading.kind === 'key') keys.push(known?.byIdentity.get(reading.key.identity) ?? reading.key)
    if (reading.kind !== 'refused') continue
    refused.push(reading)
    if (reading.material !== undefined) compromised.add(reading.material)
  }
  return {
    keySet: createKeySet(withoutCompromised(keys, compromised)),
    refused: summarizeRefused(refused, unread),
    compromised,
  }
}

/**
 * Summarises refused keys.
 *
 * @param unread entries of the set beyond `maxKeys`, which count as one example with reason `too-many`
 */
export function summarizeRefused(refused: readonly RefusedKey[], unread = 0): RefusedKeys {
  const urgent = refused.filter(({ reason }) => reason === 'private')
  const others = refused.filter(({ reason }) => reason !== 'private')
  const overflow: readonly RefusedKey[] = unread > 0 ? [{ reason: 'too-many', kid: undefined }] : []
  const reported = [...urgent, ...others].slice(0, MAX_REPORTED - overflow.length)
  const first = reported.map(({ reason, kid }) => ({ reason, kid: kid?.slice(0, MAX_REPORTED_KID) }))
  return { count: refused.length + Math.max(0, unread), first: [...first, ...overflow] }
}

/** The keys that two steps of reading one response have refused. */
export function uniteRefused(one: RefusedKeys, other: RefusedKeys): RefusedKeys {
  return { count: one.count + other.count, first: [...one.first, ...other.first].slice(0, MAX_REPORTED) }
}

/** A key whose private half was published is not trusted in its public form either. */
function withoutCompromised(
  keys: readonly VerificationKey[],
  compromised: ReadonlySet<string>,
): readonly VerificationKey[] {
  return compromised.size === 0 ? keys : keys.filter((key) => !compromised.has(key.material))
}

/**
 * The keys that may have signed a token with this protected header: those with its `kid`, or, without one,
 * all that fit its `alg`; four at most. Without an `alg`, any algorithm will do.
 */
export function selectKeys(
  keySet: KeySet,
  kid: string | undefined,
  alg: string | undefined,
): readonly VerificationKey[] {
  const named = kid === undefined ? keySet.keys : (keySet.byKid.get(kid) ?? [])
  // Usually one key fits: return the list without copying it.
  if (named.length <= MAX_CANDIDATES && (alg === undefined || named.every((key) => fitsAlgorithm(key, alg))))
    return named
  const fitting: VerificationKey[] = []
  for (const key of named) {
    if (alg === undefined || fitsAlgorithm(key, alg)) fitting.push(key)
    if (fitting.length === MAX_CANDIDATES) break
  }
  return fitting
}

/** How a key set differs from the one before. */
export interface KeySetChanges {
  /** `kid`s that are new. */
  readonly added: readonly string[]
  /** `kid`s that are gone. */
  readonly removed: readonly string[]
  /** `kid`s with other keys than before. */
  readonly changed: readonly string[]
}

/** Compares two sets by `kid`, in time linear in their size. */
export function compareKeySets(before: KeySet | undefined, after: KeySet): KeySetChanges {
  const added: string[] = []
  const changed: string[] = []
  for (const [kid, keys] of after.byKid) {
    const old = before?.byKid.get(kid)
    if (before === undefined || old === undefined) added.push(kid)
    // An identity contains the `kid`, so a key with it in the other set has this `kid`, too.
    else if (old.length !== keys.length || !keys.every(({ identity }) => before.byIdentity.has(identity)))
      changed.push(kid)
  }
  const removed = [...(before?.byKid.keys() ?? [])].filter((kid) => !after.byKid.has(kid))
  return { added, removed, changed }
}

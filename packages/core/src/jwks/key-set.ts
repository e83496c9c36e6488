import { fitsAlgorithm, type KeyReading, readKey, type VerificationKey } from './verification-key.ts'

/** A key of a set that is not used. */
export type RefusedKey = Extract<KeyReading, { kind: 'refused' }>

/** The usable keys of one JSON Web Key Set. Never changed; a refresh makes another one. */
export interface KeySet {
  /** The keys in the order in which they were published. */
  readonly keys: readonly VerificationKey[]
  /** The same, to ask whether a key is among them. */
  readonly members: ReadonlySet<VerificationKey>
  /** The keys by `kid`; several may share one. */
  readonly byKid: ReadonlyMap<string, readonly VerificationKey[]>
}

/** A set that was read, with what of it was refused. */
export interface KeySetReading {
  readonly keySet: KeySet
  readonly refused: readonly RefusedKey[]
}

/** Makes a set of keys that were read before. */
export function createKeySet(keys: readonly VerificationKey[]): KeySet {
  const byKid = new Map<string, VerificationKey[]>()
  for (const key of keys) {
    if (key.kid === undefined) continue
    const same = byKid.get(key.kid)
    if (same === undefined) byKid.set(key.kid, [key])
    else same.push(key)
  }
  return { keys, members: new Set(keys), byKid }
}

/**
 * Reads a JSON Web Key Set (RFC 7517 §5). A single bad key is refused alone. Keys that `held` has
 * unchanged are taken over as they are, so that they keep their identity.
 *
 * @returns `undefined` when the value is no key set at all.
 */
export function readKeySet(value: unknown, maxKeys: number, held?: KeySet): KeySetReading | undefined {
  if (typeof value !== 'object' || value === null || !('keys' in value) || !Array.isArray(value.keys)) return undefined
  const heldKeys = new Map(held?.keys.map((key) => [key.identity, key]))
  const keys = new Map<string, VerificationKey>()
  const refused: RefusedKey[] = []
  for (const member of value.keys) {
    const reading = readKey(member)
    if (reading.kind === 'refused') refused.push(reading)
    if (reading.kind !== 'key' || keys.has(reading.key.identity)) continue
    if (keys.size >= maxKeys) {
      refused.push({ kind: 'refused', reason: 'too-many', kid: reading.key.kid })
      continue
    }
    keys.set(reading.key.identity, heldKeys.get(reading.key.identity) ?? reading.key)
  }
  return { keySet: createKeySet(withoutCompromised([...keys.values()], refused)), refused }
}

/** A key whose private half was published is not trusted in its public form either. */
export function withoutCompromised(
  keys: readonly VerificationKey[],
  refused: readonly RefusedKey[],
): readonly VerificationKey[] {
  const compromised = new Set(refused.filter((key) => key.reason === 'private').map((key) => key.material))
  return compromised.size === 0 ? keys : keys.filter((key) => !compromised.has(key.material))
}

/** At most this many keys are tried for one token. */
const MAX_CANDIDATES = 4

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
  // Most often it is one key that fits, and then there is nothing to make.
  if (named.length <= MAX_CANDIDATES && (alg === undefined || named.every((key) => fitsAlgorithm(key, alg))))
    return named
  const fitting = alg === undefined ? named : named.filter((key) => fitsAlgorithm(key, alg))
  return fitting.slice(0, MAX_CANDIDATES)
}

/** What a new set has that the old one had not. */
export interface KeySetChanges {
  /** `kid`s that were not there before. */
  readonly added: readonly string[]
  /** `kid`s that are gone. */
  readonly removed: readonly string[]
  /** `kid`s under which there is other material than before. */
  readonly changed: readonly string[]
}

/** Compares two sets by `kid`. */
export function compareKeySets(before: KeySet | undefined, after: KeySet): KeySetChanges {
  const kidsBefore = before?.byKid ?? new Map<string, readonly VerificationKey[]>()
  const added: string[] = []
  const changed: string[] = []
  for (const [kid, keys] of after.byKid) {
    const old = kidsBefore.get(kid)
    if (old === undefined) added.push(kid)
    else if (!sameKeys(old, keys)) changed.push(kid)
  }
  const removed = [...kidsBefore.keys()].filter((kid) => !after.byKid.has(kid))
  return { added, removed, changed }
}

function sameKeys(one: readonly VerificationKey[], other: readonly VerificationKey[]): boolean {
  return one.length === other.length && one.every((key) => other.some(({ identity }) => identity === key.identity))
}

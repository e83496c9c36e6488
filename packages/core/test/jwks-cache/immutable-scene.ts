import { createHash } from 'node:crypto'
import { createKeySet, type KeySet, readKeySet } from '../../src/jwks/key-set.ts'
import type { VerificationKey } from '../../src/jwks/verification-key.ts'
import type { ImmutableKeys, KidTimes } from '../../src/jwks-cache/usable-keys.ts'

/** Derives a public key from `material`: the same one for the same text. */
function jwkOf(kid: string | undefined, material: string): Readonly<Record<string, unknown>> {
  const x = createHash('sha256').update(material).digest('base64url')
  return { kty: 'OKP', crv: 'Ed25519', x, kid }
}

/** Creates a published key set from pairs of `kid` and material. */
export function published(...keys: readonly (readonly [kid: string | undefined, material: string])[]): KeySet {
  const reading = readKeySet({ keys: keys.map(([kid, material]) => jwkOf(kid, material)) }, 1_000)
  if (reading === undefined) throw new Error('no key set')
  return reading.keySet
}

/** Creates immutable keys from `kid`, material and the time when each was learned; and with what was forgotten. */
export function immutableKeys(
  learned: readonly (readonly [kid: string, material: string, at: number])[],
  forgottenAt: KidTimes = [],
): ImmutableKeys {
  const keys: readonly VerificationKey[] = published(...learned.map(([kid, material]) => [kid, material] as const)).keys
  return { keySet: createKeySet(keys), history: { learnedAt: learned.map(([kid, , at]) => [kid, at]), forgottenAt } }
}

/** The keys and their history in an order that does not depend on how they came about. */
export function contentOf({ keySet, history }: ImmutableKeys) {
  const sorted = (times: KidTimes) => times.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    materials: keySet.keys.map(({ kid, material }) => `${kid} ${material}`).toSorted(),
    learnedAt: sorted(history.learnedAt),
    forgottenAt: sorted(history.forgottenAt),
  }
}

/** The `kid`s of a set, in order. */
export function kidsOf({ keySet }: Pick<ImmutableKeys, 'keySet'>): readonly string[] {
  return keySet.keys.map(({ kid }) => kid ?? 'none')
}

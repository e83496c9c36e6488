import { LRUCache } from 'lru-cache'
import { elapsed, type Instant } from '../base/clock.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'

/** A `kid` longer than this many bytes is no provider's; it is refused and not remembered. */
const MAX_KID_BYTES = 256

/** Refused `kid`s that are remembered, over all providers of a registry. */
const MAX_REFUSED_KIDS = 10_000

/** Milliseconds between two refetches that may give their budget back. */
const RETURN_INTERVAL = 1_000

/** The refused `kid`s of a registry's key sets, with the time of the refetch that did not find them. */
export type RefusedKids = LRUCache<string, Instant>

/** Creates the memory of refused `kid`s that the key sets of one registry share. */
export function createRefusedKids(): RefusedKids {
  return new LRUCache({ max: MAX_REFUSED_KIDS })
}

/** Decides for one key set whether an unknown `kid` may cost an upstream request. */
export interface RefetchBudget {
  /** True where a refetch for this `kid` may start now; without a `kid`, where any may. */
  mayRefetch(kid: string | undefined, cooldown: number, now: Instant): boolean
  /** Spends the budget on a refetch that starts now. */
  spend(now: Instant): void
  /** Records the keys that the last refetch brought. */
  brought(keys: readonly VerificationKey[]): void
  /**
   * A signature has verified with this key. If the last refetch brought it, that gives its budget back, once a second at
   * most.
   *
   * @returns true where the budget was given back
   */
  signatureVerified(key: VerificationKey, now: Instant): boolean
  /**
   * Remembers that a fetch did not find this `kid`: for the cooldown, or, where a refetch has begun one, for the rest of
   * that. A refresh may come from a cache on the way, and must not extend the time for which a new key is refused.
   */
  refuse(kid: string, cooldown: number, fetchedAt: Instant): void
}

/**
 * Creates the budget of one key set: one refetch for each cooldown, and none for a `kid` that was not found within it.
 *
 * @param name distinguishes the key set from others of the registry
 */
export function createRefetchBudget(name: string, refused: RefusedKids): RefetchBudget {
  let spentAt: Instant | undefined
  let refetchedAt: Instant | undefined
  let returnedAt: Instant | undefined
  let broughtKeys: ReadonlySet<VerificationKey> = new Set()
  const entry = (kid: string): string => `${name}\n${kid}`
  return {
    mayRefetch(kid, cooldown, now) {
      if (spentAt !== undefined && elapsed(spentAt, now) < cooldown) return false
      if (kid === undefined) return true
      if (isTooLong(kid)) return false
      const refusedAt = refused.get(entry(kid))
      return refusedAt === undefined || elapsed(refusedAt, now) >= cooldown
    },
    spend(now) {
      spentAt = now
      refetchedAt = now
      broughtKeys = new Set()
    },
    brought(keys) {
      broughtKeys = new Set(keys)
    },
    signatureVerified(key, now) {
      if (!broughtKeys.has(key)) return false
      if (returnedAt !== undefined && elapsed(returnedAt, now) < RETURN_INTERVAL) return false
      broughtKeys = new Set()
      spentAt = undefined
      returnedAt = now
      return true
    },
    refuse(kid, cooldown, fetchedAt) {
      if (isTooLong(kid)) return
      const known = refused.get(entry(kid))
      if (known !== undefined && elapsed(known, fetchedAt) < cooldown) return
      const since = refetchedAt !== undefined && elapsed(refetchedAt, fetchedAt) < cooldown ? refetchedAt : fetchedAt
      refused.set(entry(kid), since)
    },
  }
}

function isTooLong(kid: string): boolean {
  return kid.length > MAX_KID_BYTES || Buffer.byteLength(kid) > MAX_KID_BYTES
}

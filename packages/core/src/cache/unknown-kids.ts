import { LRUCache } from 'lru-cache'

/** A `kid` longer than this many bytes is no provider's; it is refused and not remembered. */
const MAX_KID_BYTES = 256

/** `kid`s remembered as refused, over all providers of a registry. */
const MAX_REFUSED_KIDS = 10_000

/** The refused `kid`s of a registry's providers, with the time until which each stays refused. */
export type RefusedKids = LRUCache<string, number>

/** The memory that the {@link UnknownKids} of one registry share. */
export function createRefusedKids(): RefusedKids {
  return new LRUCache({ max: MAX_REFUSED_KIDS })
}

/** Decides for one provider whether an unknown `kid` may cost an upstream request. */
export interface UnknownKids {
  /** True if a look for this `kid` may be made now. (Without a `kid`: if any may.) */
  mayLook(kid: string | undefined, now: number): boolean
  /** Spends the budget on a look that starts now; what it returns names the look. */
  spend(now: number): number
  /** Gives the budget of this look back, which found what it was for. That of a later one stays spent. */
  giveBack(look: number): void
  /** Remembers that a look, begun when the budget was last spent, did not find this `kid`. */
  remember(kid: string): void
}

/** One look for each `cooldown` milliseconds, and none for a `kid` that a look did not find in that time. */
export function createUnknownKids(provider: string, cooldown: number, refused: RefusedKids): UnknownKids {
  let looks = 0
  let spentUntil = Number.NEGATIVE_INFINITY
  // Kept apart from `spentUntil`, which giving back resets.
  let refusedUntil = Number.NEGATIVE_INFINITY
  const name = (kid: string): string => `${provider}\n${kid}`
  return {
    mayLook(kid, now) {
      if (now < spentUntil) return false
      if (kid === undefined) return true
      if (isTooLong(kid)) return false
      const until = refused.get(name(kid))
      return until === undefined || now >= until
    },
    spend(now) {
      spentUntil = now + cooldown
      refusedUntil = spentUntil
      looks += 1
      return looks
    },
    giveBack(look) {
      if (look === looks) spentUntil = Number.NEGATIVE_INFINITY
    },
    remember(kid) {
      if (!isTooLong(kid)) refused.set(name(kid), refusedUntil)
    },
  }
}

function isTooLong(kid: string): boolean {
  return kid.length > MAX_KID_BYTES || Buffer.byteLength(kid) > MAX_KID_BYTES
}

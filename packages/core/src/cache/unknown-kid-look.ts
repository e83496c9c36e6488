import type { ProviderKey } from '../base/provider-key.ts'
import type { CacheOptions } from './cache-options.ts'
import type { FetchOutcome } from './holdings.ts'
import type { RefreshContext, Refresher } from './refresher.ts'
import { createUnknownKids, type RefusedKids } from './unknown-kids.ts'

/** Looks upstream for keys that are not held, within a budget. */
export interface UnknownKidLook {
  /**
   * Has a look upstream, or shares the one under way. Whoever comes while there is no budget is told at once:
   * a queue would have valid tokens wait behind bogus ones.
   *
   * @param askedAt when the caller began to wait, in milliseconds since the epoch: its deadline counts from here
   * @returns true when there was a look, with whatever result
   */
  look(kid: string | undefined, askedAt: number): Promise<boolean>
  /** The look found what it was for: its budget is given back. */
  found(): void
  /** The look did not find this `kid`: it is refused without a look for the rest of the cooldown. */
  notFound(kid: string): void
}

/** The looks of one provider. */
export function createUnknownKidLook(
  key: ProviderKey,
  { unknownKidCooldown, retryPolicy }: Pick<CacheOptions, 'unknownKidCooldown' | 'retryPolicy'>,
  refresher: Refresher<FetchOutcome>,
  { clock, events, refusedKids }: Pick<RefreshContext, 'clock' | 'events'> & { readonly refusedKids: RefusedKids },
): UnknownKidLook {
  const unknownKids = createUnknownKids(`${key.tenant}\n${key.provider}`, unknownKidCooldown, refusedKids)

  async function look(kid: string | undefined, askedAt: number): Promise<boolean> {
    const underWay = refresher.current()
    if (underWay !== undefined && refresher.currentReason() === 'unknown-kid') {
      await underWay
      return true
    }
    if (!unknownKids.mayLook(kid, clock.now())) return false
    if (underWay !== undefined) {
      // It may bring the key; if not, a cache on the way may have answered it with an old set.
      const outcome = await underWay
      if (!outcome.ok || (kid !== undefined && outcome.keySet.byKid.has(kid))) return false
      return await look(kid, askedAt)
    }
    unknownKids.spend(clock.now())
    events.emit('unknown-kid', { ...key })
    await refresher.start('unknown-kid', askedAt + retryPolicy.deadline - clock.now())
    return true
  }

  return { look, found: () => unknownKids.giveBack(), notFound: (kid) => unknownKids.remember(kid) }
}

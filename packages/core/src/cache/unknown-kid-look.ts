import { settledWithin } from '../base/clock.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { CacheOptions } from './cache-options.ts'
import type { FetchOutcome } from './holdings.ts'
import type { RefreshContext } from './refresh-context.ts'
import type { Refresher } from './refresher.ts'
import { createUnknownKids, type RefusedKids } from './unknown-kids.ts'

/** Looks upstream for keys that are not held, within a budget. */
export interface UnknownKidLook {
  /**
   * Has a look upstream, or shares the one under way. Whoever comes while there is no budget is told at once:
   * a queue would have valid tokens wait behind bogus ones. A promise only where there is a look.
   *
   * @param kid what is looked for, if it has a name
   * @param isHeld says whether it is held now, perhaps through a fetch for another reason
   * @param askedAt when the caller began to wait, in milliseconds since the epoch: its deadline counts from here
   * @returns the look's number; `undefined` when there was none
   */
  look(kid: string | undefined, isHeld: () => boolean, askedAt: number): Promise<number | undefined> | undefined
  /** The look found what it was for: its budget is given back. */
  found(look: number): void
  /** The look did not find this `kid`: it is refused without a look for the rest of the cooldown. */
  notFound(kid: string): void
}

/**
 * The looks of one provider.
 *
 * @param returnRefetch gives the fleet's budget back, too
 */
export function createUnknownKidLook(
  key: ProviderKey,
  { unknownKidCooldown, retryPolicy }: Pick<CacheOptions, 'unknownKidCooldown' | 'retryPolicy'>,
  refresher: Refresher<FetchOutcome>,
  returnRefetch: () => void,
  { clock, events, refusedKids }: Pick<RefreshContext, 'clock' | 'events'> & { readonly refusedKids: RefusedKids },
): UnknownKidLook {
  const unknownKids = createUnknownKids(`${key.tenant}\n${key.provider}`, unknownKidCooldown, refusedKids)
  let latest = 0

  function look(
    kid: string | undefined,
    isHeld: () => boolean,
    askedAt: number,
  ): Promise<number | undefined> | undefined {
    const underWay = refresher.current()
    const now = clock.now()
    const timeLeft = askedAt + retryPolicy.deadline - now
    if (underWay !== undefined && refresher.currentReason() === 'unknown-kid') return share(underWay, timeLeft)
    if (timeLeft <= 0 || !unknownKids.mayLook(kid, now)) return undefined
    if (underWay === undefined) return lookNow(isHeld, timeLeft)
    // It may bring the key; if not, a cache on the way may have answered it with an old set.
    return settledWithin(clock, timeLeft, underWay).then((outcome) =>
      outcome?.ok === true && !isHeld() ? look(kid, isHeld, askedAt) : undefined,
    )
  }

  async function share(underWay: Promise<FetchOutcome>, timeLeft: number): Promise<number | undefined> {
    const shared = latest
    return (await settledWithin(clock, timeLeft, underWay)) === undefined ? undefined : shared
  }

  async function lookNow(isHeld: () => boolean, timeLeft: number): Promise<number> {
    latest = unknownKids.spend(clock.now())
    const own = latest
    events.emit('unknown-kid', { ...key })
    await refresher.start('unknown-kid', isHeld, timeLeft)
    return own
  }

  return {
    look,
    found(ofLook) {
      unknownKids.giveBack(ofLook)
      returnRefetch()
    },
    notFound: unknownKids.remember,
  }
}

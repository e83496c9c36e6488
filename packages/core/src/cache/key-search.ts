import type { Clock } from '../base/clock.ts'
import { KeyNotFoundError, KeyRevokedError } from '../base/errors/request-errors.ts'
import { type KeySet, selectKeys } from '../jwks/key-set.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { CacheOptions } from './cache-options.ts'
import type { Holdings } from './holdings.ts'
import { decideAfterFailure } from './policy.ts'
import type { Revocations } from './revocations.ts'
import type { UnknownKidLook } from './unknown-kid-look.ts'

/**
 * What was found for a token. Nothing, where nothing had to be waited for, is an error that is returned and not thrown: a
 * flood of unknown `kid`s comes to this, and V8 leaves functions that always end by throwing in its interpreter.
 */
export type FoundKeys = readonly VerificationKey[] | KeyNotFoundError | Promise<readonly VerificationKey[]>

/** Finds the keys for a token among those of a provider, and looks upstream for those that are not held. */
export interface KeySearch {
  /** As `ProviderCache.search`. */
  find(kid: string | undefined, alg: string | undefined, askedAt: number): FoundKeys
  /** As `ProviderCache.findOthers`. */
  findOthers(
    kid: string | undefined,
    alg: string,
    tried: readonly VerificationKey[],
    askedAt: number,
  ): Promise<readonly VerificationKey[]>
}

/** What a search is made in. */
export interface SearchedCache {
  readonly options: Pick<CacheOptions, 'keyLifetime'>
  readonly holdings: Holdings
  readonly revocations: Revocations
  readonly unknownKid: UnknownKidLook
  readonly clock: Clock
  /** The keys that may be used now. */
  keySet(): KeySet | Promise<KeySet>
}

/** The search in one provider's cache. */
export function createKeySearch(cache: SearchedCache): KeySearch {
  const { options, holdings, revocations, unknownKid, clock } = cache

  /** What fits of what is held now: while a look lasted, its stale window may have ended. */
  function selectUsable(kid: string | undefined, alg: string | undefined): readonly VerificationKey[] {
    const active = holdings.active()
    const isUsable = decideAfterFailure(holdings.state(), clock.now()) !== 'refuse'
    return active === undefined || !isUsable ? [] : selectKeys(active, kid, alg)
  }

  function refuseRevoked(kid: string | undefined): void {
    if (kid !== undefined && revocations.has(kid)) throw new KeyRevokedError()
  }

  function findIn(keySet: KeySet, kid: string | undefined, alg: string | undefined, askedAt: number): FoundKeys {
    const found = selectKeys(keySet, kid, alg)
    if (found.length > 0) return found
    // While the store was read, a revocation may have come out of it.
    refuseRevoked(kid)
    // A known `kid` for another algorithm: no look upstream makes that fit.
    if (kid !== undefined && keySet.byKid.has(kid)) return new KeyNotFoundError()
    return lookFor(keySet, kid, alg, askedAt)
  }

  function lookFor(searched: KeySet, kid: string | undefined, alg: string | undefined, askedAt: number): FoundKeys {
    const look = unknownKid.look(kid, () => selectUsable(kid, alg).length > 0, askedAt)
    // Without one there is nothing new, unless `searched` was waited for and has been replaced meanwhile.
    if (look === undefined) return searched === holdings.active() ? notFound() : afterLook(kid, alg, undefined)
    return look.then((number) => keysOrThrow(afterLook(kid, alg, number)))
  }

  function notFound(): KeyNotFoundError {
    if (holdings.lastAttemptFailed()) throw holdings.unavailable()
    return new KeyNotFoundError()
  }

  function afterLook(
    kid: string | undefined,
    alg: string | undefined,
    look: number | undefined,
  ): readonly VerificationKey[] | KeyNotFoundError {
    const found = selectUsable(kid, alg)
    if (found.length > 0) {
      if (look !== undefined) unknownKid.found(look)
      return found
    }
    refuseRevoked(kid)
    if (look !== undefined && kid !== undefined && !holdings.lastAttemptFailed()) unknownKid.notFound(kid)
    return notFound()
  }

  return {
    find(kid, alg, askedAt) {
      refuseRevoked(kid)
      const keySet = cache.keySet()
      if (keySet instanceof Promise) return keySet.then((it) => keysOrThrow(findIn(it, kid, alg, askedAt)))
      return findIn(keySet, kid, alg, askedAt)
    },
    async findOthers(kid, alg, tried, askedAt) {
      const untried = (): readonly VerificationKey[] =>
        selectUsable(kid, alg).filter((key) => tried.every(({ material }) => material !== key.material))
      // Immutable keys have no other material under their `kid`, whatever is published now.
      if (options.keyLifetime === 'immutable' && kid !== undefined) return untried()
      const look = await unknownKid.look(undefined, () => untried().length > 0, askedAt)
      const others = untried()
      if (look !== undefined && others.length > 0) unknownKid.found(look)
      return others
    },
  }
}

/** For those who would rather have it thrown. */
export function keysOrThrow<Keys>(found: Keys | KeyNotFoundError): Keys {
  if (found instanceof KeyNotFoundError) throw found
  return found
}

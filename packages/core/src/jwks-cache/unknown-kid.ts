import { LRUCache } from 'lru-cache'
import { type Clock, duration, elapsed, type Instant, instant, keepAlive, settledWithin } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeyNotFoundError, KeyRevokedError, type KeysUnavailableError } from '../base/errors/request-errors.ts'
import { type Instrumentation, resolveOperation, traced } from '../base/events.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { KeySet } from '../jwks/key-set.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { CacheOptions } from './cache-options.ts'

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

/** The key set upstream that is asked again for an unknown `kid`; the registrations that fetch it share it. */
export interface SearchedUpstream {
  readonly budget: RefetchBudget
  /** The refetch for an unknown `kid` that is in flight or announced, for whichever cache. It never rejects. */
  readonly refetching: Promise<unknown> | undefined
}

/** Keys for a token, or why there are none. */
export type KeysOrRefusal = readonly VerificationKey[] | JwksAuthError

/** As {@link KeysOrRefusal}; a promise, which never rejects, only where something has to be waited for. */
export type FoundKeys = KeysOrRefusal | Promise<KeysOrRefusal>

/** What a request looks for that is not cached. */
export interface KeyQuery {
  /** The `kid` that is unknown; absent where the budget alone decides. */
  readonly kid: string | undefined
  /** Selects the keys from those that may be used now. */
  select(usable: KeySet): readonly VerificationKey[]
  /** When the request began to wait: its deadline counts from here. */
  readonly askedAt: Instant
  /** True where the cached keys were fetched after the request began, and are as new as they get. */
  isAnswered(): boolean
}

/** The cache that a search is made for. */
export interface SearchedCache {
  readonly key: ProviderKey
  /** True for keys that are configured, so that there is nothing to fetch. */
  isInline(): boolean
  /** When the cached keys were fetched. */
  fetchedAt(): Instant | undefined
  /** The keys that may be used now. */
  usable(): KeySet
  /** The fetch of this cache that is in flight, and whether it is such a refetch. */
  flight(): { readonly isRefetch: boolean; readonly done: Promise<unknown> } | undefined
  /** True where another cache of this key set has fetched it since. */
  hasNews(): boolean
  /** Takes that over. */
  takeNews(): void
  /** Starts a refetch; it never rejects. */
  refetch(isSatisfied: () => boolean, timeLeft: number): Promise<unknown>
  isRevoked(kid: string | undefined): boolean
  /** The refusal, if the last attempt to fetch has failed. */
  unavailable(): KeysUnavailableError | undefined
}

/** Searches for keys that are not cached: by a refetch, within its budget. */
export interface UnknownKidSearch {
  /**
   * Refuses at once where no refetch is allowed, so that a flood of unknown `kid`s costs no promise and valid tokens never
   * wait behind bogus ones.
   */
  find(query: KeyQuery): FoundKeys
}

/** What a request does next whose key is not cached. */
type Step =
  /** No refetch is allowed. */
  | 'refuse'
  /** Wait for the fetch of this cache that is in flight. */
  | 'join'
  /** Wait for the refetch of another cache of this key set. */
  | 'await-shared'
  /** Take over what another cache of this key set has fetched. */
  | 'take-news'
  /** Refetch, and spend the budget. */
  | 'refetch'

/** Creates the search of one cache. */
export function createUnknownKidSearch(
  cache: SearchedCache,
  upstream: SearchedUpstream,
  { unknownKidCooldown, retryPolicy }: Pick<CacheOptions, 'unknownKidCooldown' | 'retryPolicy'>,
  { clock, instrumentation }: { readonly clock: Clock; readonly instrumentation: Instrumentation },
): UnknownKidSearch {
  const { budget } = upstream

  function timeLeft({ askedAt }: KeyQuery, now: Instant): number {
    return retryPolicy.deadline - duration(askedAt, now)
  }

  function nextStep(query: KeyQuery): Step {
    const now = instant(clock)
    if (cache.isInline() || query.isAnswered() || timeLeft(query, now) <= 0) return 'refuse'
    const flight = cache.flight()
    if (flight?.isRefetch === true) return 'join'
    if (cache.hasNews()) return 'take-news'
    if (budget.mayRefetch(query.kid, unknownKidCooldown, now)) return flight === undefined ? 'refetch' : 'join'
    return upstream.refetching === undefined ? 'refuse' : 'await-shared'
  }

  async function wait(step: Exclude<Step, 'refuse' | 'take-news'>, query: KeyQuery): Promise<void> {
    const now = instant(clock)
    if (step === 'join' || step === 'await-shared') {
      const flight: Promise<unknown> | undefined = step === 'join' ? cache.flight()?.done : upstream.refetching
      if (flight === undefined) return
      instrumentation.tracer?.waitsFor(flight)
      await settledWithin(clock, timeLeft(query, now), flight)
      return
    }
    budget.spend(now)
    const refetch = cache.refetch(() => query.select(cache.usable()).length > 0, timeLeft(query, now))
    instrumentation.tracer?.waitsFor(refetch)
    await refetch
  }

  async function findUntilRefused(query: KeyQuery, firstStep: Step): Promise<KeysOrRefusal> {
    for (let step = firstStep; step !== 'refuse'; step = nextStep(query)) {
      if (step === 'take-news') cache.takeNews()
      else await keepAlive(wait(step, query))
      const found = query.select(cache.usable())
      if (found.length > 0) return found
      if (cache.isRevoked(query.kid)) return new KeyRevokedError()
    }
    return refuse(query)
  }

  function refuse({ kid, isAnswered }: KeyQuery): JwksAuthError {
    const unavailable = cache.unavailable()
    if (unavailable !== undefined) return unavailable
    const fetchedAt = cache.fetchedAt()
    if (kid !== undefined && fetchedAt !== undefined && isAnswered()) budget.refuse(kid, unknownKidCooldown, fetchedAt)
    return new KeyNotFoundError()
  }

  return {
    find(query) {
      const step = nextStep(query)
      if (step === 'refuse') return refuse(query)
      return traced(instrumentation, resolveOperation(cache.key), () => findUntilRefused(query, step))
    },
  }
}

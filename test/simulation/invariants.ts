import type { FetchReason, ProviderStatus } from '@jwks-auth/core'
import type { CacheOptions } from '../../packages/core/src/jwks-cache/cache-options.ts'
import { type Model, type Moment, passed } from './model.ts'
import type { SimulatedKey } from './published-keys.ts'
import type { SimulatedToken } from './tokens.ts'
import type { Exchange } from './upstream.ts'

/** A broken invariant, with everything needed to reproduce it. */
export class InvariantBroken extends Error {}

/** One request of a caller. */
export interface SimulatedRequest {
  /** The caller's token. */
  readonly token: SimulatedToken
  readonly askedAt: Moment
}

/** Watches a run and throws at the first step that breaks a rule. */
export interface Invariants {
  /** A request goes upstream. */
  fetchBegins(now: Moment, reason: FetchReason, inFlight: number): void
  /** A fetch, retries included, has ended. */
  fetchEnds(now: Moment, reason: FetchReason, last: Exchange | undefined): void
  accepted(now: Moment, request: SimulatedRequest): void
  /** As `accepted`, without a signature check and without waiting: from the cache of verified tokens. */
  acceptedAtOnce(now: Moment, request: SimulatedRequest): void
  /** Refused because of its `exp`. */
  expired(now: Moment, request: SimulatedRequest): void
  refused(now: Moment, request: SimulatedRequest): void
  revoked(key: SimulatedKey): void
  /** What the operator reads, at any moment. */
  reported(now: Moment, status: ProviderStatus): void
  /** The provider can no longer, or again, serve requests. */
  availabilityChanged(now: Moment, change: 'unavailable' | 'recovered'): void
  /** A key that is not accepted yet is used while the provider works; from here it must be accepted soon. */
  firstUsed(now: Moment, key: SimulatedKey): void
  /** The provider does not work, or its keys have changed: what was promised about new keys starts anew. */
  disturbed(): void
  readonly counts: { fetches: number; accepted: number; acceptedAtOnce: number; refused: number; expired: number }
}

/** Milliseconds of the slowest response of a provider that works, with some room for a fetch already in flight. */
const ROUND_TRIP = 1_000

/** Checks the rules of the cache at every step. Token times are of the wall clock, everything else is of both clocks. */
export function createInvariants(options: CacheOptions, clockTolerance: number, model: Model): Invariants {
  const counts = { fetches: 0, accepted: 0, acceptedAtOnce: 0, refused: 0, expired: 0 }
  const verified = new Set<string>()
  const revoked = new Set<string>()
  const firstUses = new Map<string, Moment>()
  let inFlight: FetchReason | undefined
  let refetchedAt: Moment | undefined
  let fetchEndedAt: Moment | undefined
  let availability: 'unavailable' | 'recovered' = 'recovered'

  function check(holds: boolean, now: Moment, rule: string): void {
    if (holds) return
    throw new InvariantBroken(`at ${now.monotonic} ms, wall clock ${new Date(now.wall).toISOString()}: ${rule}`)
  }

  function isCached(key: SimulatedKey): boolean {
    return model.cached()?.keys.some(({ x }) => x === key.x) === true
  }

  function checkWait(now: Moment, askedAt: Moment): void {
    const waited = now.monotonic - askedAt.monotonic
    check(waited <= options.retryPolicy.deadline, now, 'every wait ends within the deadline')
  }

  return {
    counts,
    fetchBegins(now, reason, others) {
      counts.fetches += 1
      check(others === 0, now, 'at most one fetch is in flight')
      if (inFlight !== undefined) return
      inFlight = reason
      const cached = model.cached()
      if (reason === 'due' || reason === 'first') {
        check(!model.isForbidden(now), now, 'no refresh starts during a backoff')
        const isDue = cached === undefined || passed(cached.fetchedAt, now) > cached.refreshFrom - 1
        check(isDue, now, 'no refresh starts before it is due')
      }
      if (reason === 'unknown-kid') {
        const isAllowed = refetchedAt === undefined || passed(refetchedAt, now) >= options.unknownKidCooldown
        check(isAllowed, now, 'no refetch starts during the cooldown')
        refetchedAt = now
      }
    },
    fetchEnds(now, reason, last) {
      check(inFlight === reason, now, `a fetch for ${String(inFlight)} ended as one for ${reason}`)
      inFlight = undefined
      fetchEndedAt = now
      const before = model.cached()?.keys ?? []
      if (last?.kind === 'delivered') model.succeeded(now, last.delivery)
      else if (last?.kind === 'failed' && reason !== 'unknown-kid') model.failed(now, last)
      // Only a refetch that brought a new key can have its budget returned.
      const hasNew = model.cached()?.keys.some((key) => before.every(({ x }) => x !== key.x)) === true
      if (reason === 'unknown-kid' && hasNew) refetchedAt = undefined
    },
    accepted(now, { token, askedAt }) {
      const { key } = token
      counts.accepted += 1
      verified.add(token.text)
      checkWait(now, askedAt)
      check(model.isUsable(now), now, 'no key is served past its stale window, by whichever clock')
      check(isCached(key), now, 'a key that is gone, or has other material, never verifies again')
      firstUses.delete(key.x)
      check(!revoked.has(key.kid) && !revoked.has(key.x), now, 'a revoked key never verifies again')
    },
    acceptedAtOnce(now, request) {
      const { token } = request
      counts.acceptedAtOnce += 1
      check(verified.has(token.text), now, 'no token is accepted that was never verified')
      check(now.wall < token.expiresAt + clockTolerance, now, 'no token is accepted past its exp and the tolerance')
      // A key that left the set, was revoked, or is of a set that may not be used takes its tokens with it.
      this.accepted(now, request)
    },
    expired(now, { token }) {
      counts.expired += 1
      check(now.wall >= token.expiresAt + clockTolerance, now, 'no token is refused as expired that is not')
    },
    refused(now, { token: { key }, askedAt }) {
      counts.refused += 1
      checkWait(now, askedAt)
      if (revoked.has(key.kid) || revoked.has(key.x)) return
      const cached = model.cached()
      const isUsable = cached !== undefined && isCached(key) && passed(cached.fetchedAt, now) < cached.staleFor
      check(!isUsable, now, 'a valid token is not refused while a usable set with its key is cached')
      if (!model.isUsable(now)) {
        // Without a usable set no refetch helps: the backoff says when keys may be fetched.
        firstUses.delete(key.x)
        const hadItsFetch = fetchEndedAt !== undefined && askedAt.monotonic <= fetchEndedAt.monotonic
        const isOutOfTime = now.monotonic - askedAt.monotonic > options.retryPolicy.deadline - 1
        const hasWaited = hadItsFetch || isOutOfTime
        check(hasWaited || !model.isBackoffOver(now), now, 'nothing is refused for want of keys past the backoff')
      }
      const firstUse = firstUses.get(key.x)
      const patience = Math.max(options.unknownKidCooldown, ROUND_TRIP) + ROUND_TRIP
      const isLate = firstUse !== undefined && askedAt.monotonic > firstUse.monotonic + patience
      check(!isLate, now, 'a new key is accepted within the cooldown of its first use')
    },
    revoked(key) {
      revoked.add(key.kid).add(key.x)
    },
    reported(now, { state, health, errorCount, lastError, kids, metrics }) {
      const { requests, hits, misses, stale, refreshes, refreshErrors } = metrics
      check(requests === hits + misses, now, 'each request is a hit or a miss')
      check(stale <= hits, now, 'a request served with stale keys is a hit')
      check(refreshErrors <= refreshes, now, 'a failed refresh is a refresh')
      const cannotServe = state === 'empty' || state === 'loading'
      check(cannotServe === (health === 'unavailable'), now, `state ${state} contradicts health ${health}`)
      check(!cannotServe || kids.length === 0, now, 'keys that may not serve are not named')
      check(health !== 'failing' || errorCount > 0, now, 'a failing provider has errors')
      check(errorCount === 0 || cannotServe || health === 'failing', now, 'a provider with errors is failing')
      check(errorCount === 0 || lastError !== undefined, now, 'errors that are counted can be read')
    },
    availabilityChanged(now, change) {
      check(change !== availability, now, `${change} is reported once for each change`)
      availability = change
      const isUsable = model.isUsable(now)
      check((change === 'recovered') === isUsable, now, `${change} contradicts the cached keys`)
    },
    firstUsed(now, key) {
      if (!firstUses.has(key.x)) firstUses.set(key.x, now)
    },
    disturbed() {
      firstUses.clear()
    },
  }
}

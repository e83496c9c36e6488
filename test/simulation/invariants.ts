import type { FetchReason } from '@jwks-auth/core'
import type { CacheOptions } from '../../packages/core/src/jwks-cache/cache-options.ts'
import type { Model } from './model.ts'
import type { SimulatedKey } from './published-keys.ts'
import type { SimulatedToken } from './tokens.ts'
import type { Exchange } from './upstream.ts'

/** A broken invariant, with everything needed to see it again. */
export class InvariantBroken extends Error {}

/** One question of a caller and what it was answered. */
export interface Question {
  /** The caller's token. */
  readonly token: SimulatedToken
  readonly askedAt: number
}

/** Watches a run and throws at the first step that breaks a rule. */
export interface Invariants {
  /** A request goes upstream. */
  fetchBegins(now: number, reason: FetchReason, inFlight: number): void
  /** A fetch, retries included, has ended. */
  fetchEnds(now: number, reason: FetchReason, last: Exchange | undefined): void
  accepted(now: number, question: Question): void
  /** As `accepted`, without anything to wait for: by what was known of the token. */
  acceptedAtOnce(now: number, question: Question): void
  /** Refused because of its `exp`. */
  expired(now: number, question: Question): void
  refused(now: number, question: Question): void
  revoked(key: SimulatedKey): void
  /** A key that is not accepted yet is used at a provider that answers; from here it must be accepted soon. */
  firstUsed(now: number, key: SimulatedKey): void
  /** The provider is not well, or the keys have changed: promises about new keys start anew. */
  disturbed(): void
  readonly counts: { fetches: number; accepted: number; acceptedAtOnce: number; refused: number; expired: number }
}

/** The slowest answer of a provider that answers, in milliseconds, with some room for a fetch already under way. */
const ROUND_TRIP = 1_000

/** The rules of the cache, checked at every step. */
export function createInvariants(options: CacheOptions, clockTolerance: number, model: Model): Invariants {
  const counts = { fetches: 0, accepted: 0, acceptedAtOnce: 0, refused: 0, expired: 0 }
  const verified = new Set<string>()
  const revoked = new Set<string>()
  const firstUses = new Map<string, number>()
  let underWay: FetchReason | undefined
  let lookForbiddenUntil = Number.NEGATIVE_INFINITY

  function check(holds: boolean, now: number, rule: string): void {
    if (!holds) throw new InvariantBroken(`at ${new Date(now).toISOString()}: ${rule}`)
  }

  function holds(key: SimulatedKey): boolean {
    return model.held()?.keys.some(({ x }) => x === key.x) === true
  }

  return {
    counts,
    fetchBegins(now, reason, inFlight) {
      counts.fetches += 1
      check(inFlight === 0, now, 'at most one fetch is in flight')
      if (underWay !== undefined) return
      underWay = reason
      if (reason === 'due' || reason === 'first') {
        check(now >= model.forbiddenUntil(), now, 'no refresh starts that the backoff forbids')
        check(now >= (model.held()?.refreshFrom ?? 0), now, 'no refresh starts before it is due')
      }
      if (reason === 'unknown-kid') {
        check(now >= lookForbiddenUntil, now, 'no refetch starts that the budget forbids')
        lookForbiddenUntil = now + options.unknownKidCooldown
      }
    },
    fetchEnds(now, reason, last) {
      check(underWay === reason, now, `a fetch for ${String(underWay)} ended as one for ${reason}`)
      underWay = undefined
      const before = model.held()?.keys ?? []
      if (last?.kind === 'delivered') model.succeeded(now, last.delivery)
      else if (last?.kind === 'failed' && reason !== 'unknown-kid') model.failed(now, last)
      // Only a refetch that brought something new can have found what it was for, and so get its budget back.
      const hasNew = model.held()?.keys.some((key) => before.every(({ x }) => x !== key.x)) === true
      if (reason === 'unknown-kid' && hasNew) lookForbiddenUntil = Number.NEGATIVE_INFINITY
    },
    accepted(now, { token, askedAt }) {
      const { key } = token
      counts.accepted += 1
      verified.add(token.text)
      check(now - askedAt <= options.retryPolicy.deadline, now, 'every wait ends within the deadline')
      check(now < model.usableUntil(), now, 'no key is served past its stale window')
      check(holds(key), now, 'a key that is gone, or has other material, never verifies again')
      firstUses.delete(key.x)
      check(!revoked.has(key.kid) && !revoked.has(key.x), now, 'a revoked key never verifies again')
    },
    acceptedAtOnce(now, question) {
      const { token } = question
      counts.acceptedAtOnce += 1
      check(verified.has(token.text), now, 'no token is accepted that was never verified')
      check(now < token.expiresAt + clockTolerance, now, 'no token is accepted past its exp and the tolerance')
      // A key that left the set, was revoked, or is of a set that may not be used takes its tokens with it.
      this.accepted(now, question)
    },
    expired(now, { token }) {
      counts.expired += 1
      check(now >= token.expiresAt + clockTolerance, now, 'no token is refused as expired that is not')
    },
    refused(now, { token: { key }, askedAt }) {
      counts.refused += 1
      check(now - askedAt <= options.retryPolicy.deadline, now, 'every wait ends within the deadline')
      if (revoked.has(key.kid) || revoked.has(key.x)) return
      const isUsable = holds(key) && now < (model.held()?.staleUntil ?? 0)
      check(!isUsable, now, 'a valid token is not refused while a usable set with its key is held')
      // Without a usable set there is nothing to look beside: the backoff says when keys may be asked for.
      if (now >= model.usableUntil()) firstUses.delete(key.x)
      const firstUse = firstUses.get(key.x)
      const patience = Math.max(options.unknownKidCooldown, ROUND_TRIP) + ROUND_TRIP
      const isLate = firstUse !== undefined && askedAt > firstUse + patience
      check(!isLate, now, 'a new key is accepted within the cooldown of its first use')
    },
    revoked(key) {
      revoked.add(key.kid).add(key.x)
    },
    firstUsed(now, key) {
      if (!firstUses.has(key.x)) firstUses.set(key.x, now)
    },
    disturbed() {
      firstUses.clear()
    },
  }
}

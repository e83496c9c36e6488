import { elapsed, type Instant } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { UpstreamStatusError } from '../base/errors/upstream-errors.ts'
import { type StoredPolicy, withoutValidators } from '../http/freshness.ts'
import {
  compareKeySets,
  createKeySet,
  type KeySet,
  type KeySetChanges,
  type RefusedKeys,
  uniteRefused,
} from '../jwks/key-set.ts'
import type { CacheEvent } from './cache-events.ts'
import type { CacheOptions } from './cache-options.ts'
import type { FetchedKeySet, RefusedContent } from './key-set-response.ts'
import { type Lifetimes, lifetimesOf, type RefreshFailure, UNLIMITED } from './policy.ts'
import { isOutage, negativeTtl, obeyedRetryAfter, type Random, refreshBackoff, retryAfterOf } from './retry.ts'
import {
  addPublished,
  forget,
  type ImmutableHistory,
  type ImmutableKeys,
  isSameHistory,
  type Revocations,
  unite,
} from './usable-keys.ts'

/** What a provider's cache has counted since its registration. */
export interface Metrics {
  /** Requests for keys. */
  requests: number
  /** Requests that cached keys served. */
  hits: number
  /** Requests that had to wait, or were refused. */
  misses: number
  /** Requests served with keys past their expiry. */
  stale: number
  /** Fetches that ended, successfully or not. */
  refreshes: number
  /** Fetches that failed. */
  refreshErrors: number
}

/** Creates metrics at zero. */
export function createMetrics(): Metrics {
  return { requests: 0, hits: 0, misses: 0, stale: 0, refreshes: 0, refreshErrors: 0 }
}

/** A cached key set and how long it may be used. */
export interface CachedKeys {
  /** The keys as published, revoked ones included. Empty only where immutable keys were forgotten. */
  readonly published: KeySet
  readonly policy: StoredPolicy
  readonly fetchedAt: Instant
  /** The time that their snapshot names, where that is ahead of this machine's clock; else `fetchedAt.wall`. */
  readonly writtenAt?: number | undefined
  readonly lifetimes: Lifetimes
  readonly source: 'upstream' | 'store' | 'inline'
  /** The number of the upstream request that brought them; 0 where they came from elsewhere. */
  readonly requestNumber: number
  /** When each key was learned and forgotten; only where keys are immutable. */
  readonly immutable: ImmutableHistory | undefined
}

/** Everything that one provider's cache knows. A value: transitions return the next one. */
export interface CacheState {
  /** Absent where nothing is cached. */
  readonly cached: CachedKeys | undefined
  /** The keys that may be used: the cached ones that are not revoked. */
  readonly usable: KeySet
  /** Absent once a refresh has succeeded. */
  readonly failure: RefreshFailure | undefined
  /** How the last attempt to fetch failed, refetches for unknown `kid`s included; absent once one has succeeded. */
  readonly lastError: JwksAuthError | undefined
}

/** What transitions depend on. */
export interface TransitionContext {
  readonly options: CacheOptions
  readonly now: Instant
  readonly random: Random
  readonly revocations: Pick<Revocations, 'filter'>
}

/** The next state, with the events to emit. */
export interface Transition {
  readonly state: CacheState
  readonly events: readonly CacheEvent[]
}

const NO_KEYS: KeySet = createKeySet([])

/** Nothing cached yet. */
export const EMPTY: CacheState = Object.freeze({
  cached: undefined,
  usable: NO_KEYS,
  failure: undefined,
  lastError: undefined,
})

/** The cached keys, if there are any: what remains of forgotten immutable keys does not count. */
export function cachedKeys({ cached }: CacheState): CachedKeys | undefined {
  return cached === undefined || cached.published.keys.length === 0 ? undefined : cached
}

/** A checked response has arrived: it replaces the cached keys, or adds to immutable ones. */
export function fetched(
  state: CacheState,
  response: FetchedKeySet & { readonly fetchedAt: Instant; readonly requestNumber: number },
  context: TransitionContext,
): Transition & { readonly changes: KeySetChanges } {
  const { options, random } = context
  const { keySet, policy, fetchedAt, requestNumber } = response
  const succeeded: CacheState = { ...state, failure: undefined, lastError: undefined }
  const origin = { fetchedAt, requestNumber, source: 'upstream' } as const
  if (options.keyLifetime === 'http') {
    const changes = compareKeySets(state.cached?.published, keySet)
    const lifetimes = lifetimesOf(policy, options, random())
    const cached: CachedKeys = { published: keySet, policy, lifetimes, immutable: undefined, ...origin }
    const events = [...refusedEvents(response.refused), ...changeEvents(changes)]
    return { state: withCached(succeeded, cached, context), events, changes }
  }
  const dropped = withoutCompromised(succeeded, response.compromised, context)
  const before = dropped.state.cached
  // A 304 confirms what was cached when it was asked for; what was forgotten since does not come back by it.
  const confirmed = response.modified ? keySet : (before?.published ?? keySet)
  const added = addPublished(immutableKeys(before), confirmed, { now: context.now.wall, maxKeys: options.maxKeys })
  const cached: CachedKeys = {
    published: added.keySet,
    policy: confirmed === keySet ? policy : withoutValidators(policy),
    lifetimes: UNLIMITED,
    immutable: added.history,
    ...origin,
  }
  const refused = uniteRefused(response.refused, added.refused)
  // What upstream no longer publishes stays where keys are immutable.
  const events = [...dropped.events, ...refusedEvents(refused), ...changeEvents({ ...added.changes, removed: [] })]
  return { state: withCached(dropped.state, cached, context), events, changes: added.changes }
}

/** How an attempt to fetch has failed. */
export interface Failure extends RefusedContent {
  readonly error: JwksAuthError
  readonly failedAt: Instant
  /** True where refreshes have to back off; a failed refetch for an unknown `kid` has a budget of its own. */
  readonly backsOff: boolean
  /** The backoff of another process of the fleet, in place of our own. */
  readonly shared?: { readonly count: number; readonly pause: number } | undefined
}

/** A fetch has failed: the cached keys stay, but for those whose private half was published. */
export function failed(state: CacheState, failure: Failure, context: TransitionContext): Transition {
  const { error } = failure
  const dropped = withoutCompromised(state, failure.compromised, context)
  let next: CacheState = { ...dropped.state, lastError: error }
  if (next.cached !== undefined && error instanceof UpstreamStatusError && error.status === 304) {
    // A 304 about something else: the validators that led there are not sent again.
    next = { ...next, cached: { ...next.cached, policy: withoutValidators(next.cached.policy) } }
  }
  if (failure.backsOff) next = { ...next, failure: nextFailure(next, failure, context) }
  return { state: next, events: [...dropped.events, ...refusedEvents(failure.refused)] }
}

/** A snapshot was read; `undefined` where it brings nothing new. */
export function loaded(
  state: CacheState,
  snapshot: Omit<CachedKeys, 'source' | 'requestNumber'> & Partial<RefusedContent>,
  context: TransitionContext,
): Transition | undefined {
  const { cached: before } = state
  const next =
    snapshot.immutable === undefined
      ? isOlder(snapshot, before, context.now) || isSameFetch(snapshot, before)
        ? undefined
        : snapshot
      : unitedWith(before, snapshot, context.options.maxKeys, context.now)
  if (next === undefined) return undefined
  const { published, policy, fetchedAt, writtenAt, lifetimes, immutable } = next
  const origin = { fetchedAt, writtenAt, source: 'store', requestNumber: 0 } as const
  const cached: CachedKeys = { published, policy, lifetimes, immutable, ...origin }
  const events: CacheEvent[] = [...refusedEvents(snapshot.refused)]
  if (before !== undefined) events.push(...changeEvents(compareKeySets(before.published, published)))
  events.push(['snapshot-loaded', {}])
  const succeeded = { ...state, failure: undefined, lastError: undefined }
  return { state: withCached(succeeded, cached, context), events }
}

/** Revocations have changed. */
export function revoked(state: CacheState, { revocations }: Pick<TransitionContext, 'revocations'>): CacheState {
  return { ...state, usable: revocations.filter(state.cached?.published ?? NO_KEYS) }
}

/** Drops an immutable key, so that it can be learned again; `undefined` where it is not cached. */
export function forgotten(state: CacheState, kid: string, context: TransitionContext): Transition | undefined {
  const { cached } = state
  const immutable = immutableKeys(cached)
  if (cached === undefined || immutable?.keySet.byKid.has(kid) !== true) return undefined
  const kept = forget(immutable, kid, context.now.wall)
  const next = { ...cached, published: kept.keySet, immutable: kept.history, policy: withoutValidators(cached.policy) }
  return { state: withCached(state, next, context), events: [['key-forgotten', { kid }]] }
}

/** Drops the keys from memory. */
export function evicted(state: CacheState): Transition {
  return { state: { ...state, cached: undefined, usable: NO_KEYS, failure: undefined }, events: [['evicted', {}]] }
}

function withCached(state: CacheState, cached: CachedKeys | undefined, context: TransitionContext): CacheState {
  return revoked({ ...state, cached }, context)
}

function nextFailure(state: CacheState, failure: Failure, context: TransitionContext): RefreshFailure {
  const { options, random } = context
  const { error, failedAt: at, shared } = failure
  const count = Math.max((state.failure?.count ?? 0) + 1, shared?.count ?? 0)
  if (shared !== undefined) return { count, at, pause: shared.pause, isOutage: isOutage(error) }
  const cached = cachedKeys(state)
  const backoff = cached === undefined ? negativeTtl(options.negativeCacheTtl, count) : refreshBackoff(count, random)
  const freshFor = cached === undefined ? 0 : cached.lifetimes.freshFor - elapsed(cached.fetchedAt, at)
  const pause = Math.max(backoff, obeyedRetryAfter(retryAfterOf(error), freshFor))
  return { count, at, pause, isOutage: isOutage(error) }
}

/** Drops keys whose private half was published. Immutable ones are forgotten, or other processes would bring them back. */
function withoutCompromised(
  state: CacheState,
  compromised: ReadonlySet<string>,
  context: TransitionContext,
): Transition {
  const { cached } = state
  if (cached === undefined || compromised.size === 0) return { state, events: [] }
  const { published } = cached
  const kept = published.keys.filter(({ material }) => !compromised.has(material))
  if (kept.length === published.keys.length) return { state, events: [] }
  const dropped = published.keys.filter(({ material }) => compromised.has(material))
  const immutable = dropped.reduce<ImmutableKeys | undefined>(
    (keys, { kid }) => (keys === undefined || kid === undefined ? keys : forget(keys, kid, context.now.wall)),
    immutableKeys(cached),
  )
  const left = immutable?.keySet ?? createKeySet(kept)
  const next: CachedKeys = {
    ...cached,
    published: left,
    immutable: immutable?.history,
    policy: withoutValidators(cached.policy),
  }
  const isGone = left.keys.length === 0
  const changed = withCached(state, isGone && immutable === undefined ? undefined : next, context)
  return {
    // The backoff was for refreshes of these keys; a first fetch has `negativeCacheTtl`.
    state: isGone ? { ...changed, failure: undefined } : changed,
    events: changeEvents(compareKeySets(published, left)),
  }
}

function isOlder(
  snapshot: Pick<CachedKeys, 'fetchedAt'>,
  cached: Pick<CachedKeys, 'fetchedAt'> | undefined,
  now: Instant,
): boolean {
  return cached !== undefined && elapsed(cached.fetchedAt, now) <= elapsed(snapshot.fetchedAt, now)
}

/**
 * True for the keys that are cached already, whoever has fetched them. {@link isOlder} cannot tell: clocks drift apart by
 * fractions of a millisecond, so that a snapshot that is read again may seem a little newer than the first time.
 */
function isSameFetch(
  snapshot: Pick<CachedKeys, 'fetchedAt' | 'writtenAt'>,
  cached: Pick<CachedKeys, 'fetchedAt' | 'writtenAt'> | undefined,
): boolean {
  if (cached === undefined) return false
  return (snapshot.writtenAt ?? snapshot.fetchedAt.wall) === (cached.writtenAt ?? cached.fetchedAt.wall)
}

function unitedWith(
  cached: CachedKeys | undefined,
  snapshot: Omit<CachedKeys, 'source' | 'requestNumber'>,
  maxKeys: number,
  now: Instant,
): Omit<CachedKeys, 'source' | 'requestNumber'> | undefined {
  const stored = immutableKeys(snapshot)
  if (stored === undefined) return undefined
  const united = unite(immutableKeys(cached), stored, maxKeys)
  if (isSameHistory(cached?.immutable, united.history)) return undefined
  const newer = cached !== undefined && isOlder(snapshot, cached, now) ? cached : snapshot
  const isWhole = [...newer.published.byKid.keys()].every((kid) => united.keySet.byKid.has(kid))
  // Where keys are missing, a 304 to validators of the whole set would keep them from being learned again.
  const policy = isWhole ? newer.policy : withoutValidators(newer.policy)
  return { ...newer, published: united.keySet, immutable: united.history, policy }
}

function immutableKeys(cached: Pick<CachedKeys, 'published' | 'immutable'> | undefined): ImmutableKeys | undefined {
  if (cached?.immutable === undefined) return undefined
  return { keySet: cached.published, history: cached.immutable }
}

function changeEvents({ added, removed, changed }: KeySetChanges): CacheEvent[] {
  return [
    ...added.map((kid): CacheEvent => ['key-added', { kid }]),
    ...removed.map((kid): CacheEvent => ['key-removed', { kid }]),
    ...changed.map((kid): CacheEvent => ['key-changed', { kid }]),
  ]
}

function refusedEvents(refused: RefusedKeys | undefined): CacheEvent[] {
  if (refused === undefined || refused.count === 0) return []
  const { count, first } = refused
  return [['keys-refused', { count, refused: first.map(({ kid, reason }) => ({ kid, reason })) }]]
}

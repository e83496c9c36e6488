import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeysUnavailableError } from '../base/errors/request-errors.ts'
import { UpstreamStatusError } from '../base/errors/upstream-errors.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { withoutValidators } from '../http/freshness.ts'
import {
  compareKeySets,
  createKeySet,
  type KeySet,
  type KeySetChanges,
  type RefusedKey,
  withoutCompromised,
} from '../keys/key-set.ts'
import type { VerificationKey } from '../keys/verification-key.ts'
import { negativeTtl, obeyedRetryAfter, refreshBackoff } from './backoff.ts'
import type { CacheOptions } from './cache-options.ts'
import { type Counters, createCounters } from './counters.ts'
import { type Entry, entryTimes } from './entry.ts'
import { isOutage, retryAfterOf } from './failure.ts'
import type { HeldKeySet } from './key-set-fetch.ts'
import type { CacheState, RefreshFailure } from './policy.ts'
import type { RefreshContext, RefreshReport, RefreshTarget } from './refresher.ts'
import type { Tombstones } from './tombstones.ts'

/** How a fetch ended. */
export type FetchOutcome =
  | ({
      readonly ok: true
      /** False when the provider confirmed what was held. */
      readonly modified: boolean
      /** The keys that are published now and not revoked. */
      readonly keySet: KeySet
    } & KeySetChanges)
  | {
      readonly ok: false
      /** What went wrong; what was held stays. */
      readonly error: JwksAuthError
    }

/** What is held of one provider, and how that came about. */
export interface Holdings extends RefreshTarget<FetchOutcome> {
  readonly counters: Counters
  /** What decisions depend on. */
  state(): CacheState
  /** The entry that is held. */
  entry(): Entry | undefined
  /** The keys that may be used: those published and not revoked. */
  active(): KeySet | undefined
  /** The keys as published. */
  published(): KeySet | undefined
  /** When the next refresh may be started: when it is due, or when the backoff is over. */
  nextRefresh(): number | undefined
  /** True when the last attempt to fetch, for whatever reason, failed. */
  lastAttemptFailed(): boolean
  /** How the last failed attempt failed. */
  lastError(): JwksAuthError | undefined
  /** The refusal of a request for which there are no usable keys. */
  unavailable(cause?: JwksAuthError): KeysUnavailableError
  /** Takes revocations into account that were made or taken back just now. */
  applyTombstones(): Promise<void>
  /** Counts keys served past their expiry. */
  servedStale(): void
  /** Tells, once, that a key could not be imported. */
  importFailed(key: VerificationKey): undefined
  /** Forgets the keys. */
  clear(): void
}

/** Milliseconds after which a refused request may ask again where nothing else says when. */
const SHORTEST_RETRY_AFTER = 1_000

/** Nothing held, to begin with. */
export function createHoldings(
  key: ProviderKey,
  options: CacheOptions,
  tombstones: Tombstones,
  { clock, random, events }: Pick<RefreshContext, 'clock' | 'random' | 'events'>,
  onFetched: () => void,
): Holdings {
  const counters = createCounters()
  let entry: Entry | undefined
  let published: KeySet | undefined
  let active: KeySet | undefined
  let failure: RefreshFailure | undefined
  let lastError: JwksAuthError | undefined
  let lastAttemptFailed = false
  let toldStale: RefreshFailure | undefined
  const broken = new WeakSet<VerificationKey>()

  /** The set without what is revoked, also what is revoked while this waits for thumbprints. */
  async function withoutRevoked(keySet: KeySet): Promise<KeySet> {
    for (;;) {
      const version = tombstones.version()
      const filtered = await tombstones.filter(keySet)
      if (version === tombstones.version()) return filtered
    }
  }

  function tellChanges({ added, removed, changed }: KeySetChanges): void {
    for (const kid of added) events.emit('key-added', { ...key, kid })
    for (const kid of removed) events.emit('key-removed', { ...key, kid })
    for (const kid of changed) events.emit('key-changed', { ...key, kid })
  }

  function tellRefused(refused: readonly RefusedKey[]): void {
    for (const { kid, reason } of refused) events.emit('key-refused', { ...key, kid, reason })
  }

  /** A key whose private half was published goes, also where the answer is no good otherwise. */
  function dropCompromised(refused: readonly RefusedKey[]): void {
    if (entry === undefined || published === undefined || active === undefined) return
    const kept = withoutCompromised(published.keys, refused)
    if (kept.length === published.keys.length) return
    const changes = compareKeySets(published, createKeySet(kept))
    if (kept.length === 0) clear()
    else {
      active = createKeySet(withoutCompromised(active.keys, refused))
      published = createKeySet(kept)
      entry = { ...entry, keys: kept.map(({ jwk }) => jwk) }
    }
    tellChanges(changes)
  }

  function nextFailure(error: JwksAuthError): RefreshFailure {
    const now = clock.now()
    const count = (failure?.count ?? 0) + 1
    const backoff = entry === undefined ? negativeTtl(options.negativeCacheTtl, count) : refreshBackoff(count, random)
    const retryAfter = obeyedRetryAfter(retryAfterOf(error), (entry?.freshUntil ?? now) - now)
    return { count, retryAt: now + Math.max(backoff, retryAfter), isOutage: isOutage(error) }
  }

  function clear(): void {
    entry = undefined
    published = undefined
    active = undefined
    // It was between refreshes of these keys; a first fetch has `negativeCacheTtl`.
    failure = undefined
  }

  return {
    counters,
    state: () => ({ entry, failure }),
    entry: () => entry,
    active: () => active,
    published: () => published,
    nextRefresh: () => (entry === undefined ? failure?.retryAt : Math.max(entry.refreshAt, failure?.retryAt ?? 0)),
    lastAttemptFailed: () => lastAttemptFailed,
    lastError: () => lastError,
    hasFailed: () => lastAttemptFailed,
    held: (): HeldKeySet | undefined =>
      entry === undefined || published === undefined ? undefined : { keySet: published, policy: entry.policy },

    async accept({ keySet, policy, modified, refused }, { reason, duration }: RefreshReport) {
      const now = clock.now()
      const changes = compareKeySets(published, keySet)
      const keys = keySet.keys.map(({ jwk }) => jwk)
      const times = entryTimes(policy, now, options, random())
      active = await withoutRevoked(keySet)
      published = keySet
      entry = { version: 1, keys, policy, ...times }
      failure = undefined
      lastAttemptFailed = false
      counters.refreshes += 1
      onFetched()
      tellRefused(refused)
      tellChanges(changes)
      events.emit('refresh', { ...key, reason, modified, duration })
      return { ok: true, modified, keySet: active, ...changes }
    },

    fail(error, refused, { reason, duration }) {
      dropCompromised(refused)
      lastError = error
      lastAttemptFailed = true
      counters.refreshes += 1
      counters.refreshErrors += 1
      // A 304 that was about something else: validators that lead there are not sent again.
      if (entry !== undefined && error instanceof UpstreamStatusError && error.status === 304) {
        entry = { ...entry, policy: withoutValidators(entry.policy) }
      }
      // A failed look has the unknown-kid budget to slow it down, and says nothing of the refreshes that are due.
      if (reason !== 'unknown-kid') failure = nextFailure(error)
      onFetched()
      tellRefused(refused)
      events.emit('refresh-failed', { ...key, reason, duration, error })
      return { ok: false, error }
    },

    unavailable(cause = lastError) {
      const wait = (failure?.retryAt ?? 0) - clock.now()
      return new KeysUnavailableError({ retryAfter: Math.max(wait, SHORTEST_RETRY_AFTER), cause })
    },

    async applyTombstones() {
      const keySet = published
      if (keySet === undefined) return
      const filtered = await withoutRevoked(keySet)
      // A set that came meanwhile has been filtered on its own way here.
      if (published === keySet) active = filtered
    },

    servedStale() {
      counters.stale += 1
      if (toldStale === failure) return
      toldStale = failure
      events.emit('stale', { ...key })
    },

    importFailed(brokenKey) {
      if (broken.has(brokenKey)) return
      broken.add(brokenKey)
      tellRefused([{ kind: 'refused', reason: 'import-failed', kid: brokenKey.kid }])
    },

    clear,
  }
}

import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import { KeysUnavailableError } from '../base/errors/request-errors.ts'
import { KeySetMalformedError, UpstreamStatusError } from '../base/errors/upstream-errors.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { withoutValidators } from '../http/freshness.ts'
import {
  compareKeySets,
  createKeySet,
  type KeySetChanges,
  type RefusedKeys,
  summarizeRefused,
} from '../jwks/key-set.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import { negativeTtl, obeyedRetryAfter, refreshBackoff } from './backoff.ts'
import type { CacheOptions } from './cache-options.ts'
import { createCounters } from './counters.ts'
import type { Entry } from './entry.ts'
import { isOutage, retryAfterOf } from './failure.ts'
import { createHeldKeys } from './held-keys.ts'
import type { FetchOutcome, Holdings } from './holdings.ts'
import type { FetchedKeySet } from './key-set-fetch.ts'
import type { RefreshFailure } from './policy.ts'
import type { RefreshContext } from './refresh-context.ts'
import type { RefreshReport } from './refresher.ts'
import type { Revocations } from './revocations.ts'

/** Whom the holdings tell of changes. */
export interface HoldingsListener {
  /** A fetch has ended, well or not, or keys came from the store: there may be another time to refresh at. */
  renewed(): void
  /** What is held is no longer what the store has. */
  changed(): void
}

/** Milliseconds after which a refused request may ask again where nothing else says when. */
const SHORTEST_RETRY_AFTER = 1_000

/** Nothing held, to begin with. */
export function createHoldings(
  key: ProviderKey,
  options: CacheOptions,
  revocations: Revocations,
  { clock, random, events }: Pick<RefreshContext, 'clock' | 'random' | 'events'>,
  listener: HoldingsListener,
): Holdings {
  const counters = createCounters()
  const keys = createHeldKeys(options, revocations, { random })
  let failure: RefreshFailure | undefined
  let lastError: JwksAuthError | undefined
  let lastAttemptFailed = false
  let toldStale: RefreshFailure | undefined
  const broken = new WeakSet<VerificationKey>()

  /** The entry, if it has keys: of immutable ones an entry without any may remain, to remember what was forgotten. */
  function entry(): Entry | undefined {
    const held = keys.entry()
    return held === undefined || held.keys.length === 0 ? undefined : held
  }

  function tellChanges({ added, removed, changed }: KeySetChanges): void {
    for (const kid of added) events.emit('key-added', { ...key, kid })
    for (const kid of removed) events.emit('key-removed', { ...key, kid })
    for (const kid of changed) events.emit('key-changed', { ...key, kid })
  }

  function tellRefused({ first }: RefusedKeys): void {
    for (const { kid, reason } of first) events.emit('key-refused', { ...key, kid, reason })
  }

  /** A key whose private half was published goes, also where the answer is no good otherwise. */
  function dropCompromised(compromised: ReadonlySet<string>): void {
    const changes = keys.dropCompromised(compromised, clock.now())
    if (changes === undefined) return
    // It was between refreshes of these keys; a first fetch has `negativeCacheTtl`.
    if (entry() === undefined) failure = undefined
    listener.changed()
    tellChanges(changes)
  }

  function nextFailure(error: JwksAuthError): RefreshFailure {
    const now = clock.now()
    const count = (failure?.count ?? 0) + 1
    const held = entry()
    const backoff = held === undefined ? negativeTtl(options.negativeCacheTtl, count) : refreshBackoff(count, random)
    const retryAfter = obeyedRetryAfter(retryAfterOf(error), (held?.freshUntil ?? now) - now)
    return { count, retryAt: now + Math.max(backoff, retryAfter), isOutage: isOutage(error) }
  }

  function succeeded(): void {
    failure = undefined
    lastAttemptFailed = false
    listener.renewed()
  }

  function failed(
    error: JwksAuthError,
    { refused, compromised }: Pick<FetchedKeySet, 'refused' | 'compromised'>,
    { reason, duration }: RefreshReport,
  ): FetchOutcome {
    dropCompromised(compromised)
    lastError = error
    lastAttemptFailed = true
    counters.refreshes += 1
    counters.refreshErrors += 1
    // A 304 that was about something else: validators that lead there are not sent again.
    if (error instanceof UpstreamStatusError && error.status === 304) {
      keys.amend((held) => ({ ...held, policy: withoutValidators(held.policy) }))
    }
    // A failed look has the unknown-kid budget to slow it down, and says nothing of the refreshes that are due.
    if (reason !== 'unknown-kid') failure = nextFailure(error)
    listener.renewed()
    tellRefused(refused)
    events.emit('refresh-failed', { ...key, reason, duration, error })
    return { ok: false, error }
  }

  return {
    counters,
    state: () => ({ entry: entry(), failure }),
    entry,
    record: keys.entry,
    source: keys.source,
    active: () => (entry() === undefined ? undefined : keys.active()),
    undisputed: keys.undisputed,
    published: keys.published,
    nextRefresh() {
      const held = entry()
      return held === undefined ? failure?.retryAt : Math.max(held.refreshAt, failure?.retryAt ?? 0)
    },
    lastAttemptFailed: () => lastAttemptFailed,
    lastError: () => lastError,
    hasFailed: () => lastAttemptFailed,
    held() {
      const [held, keySet] = [entry(), keys.published()]
      return held === undefined || keySet === undefined ? undefined : { keySet, policy: held.policy }
    },

    async accept(fetched, { reason, duration }) {
      const isImmutable = options.keyLifetime === 'immutable'
      if (isImmutable && fetched.keySet.byKid.size === 0) {
        return failed(new KeySetMalformedError('none of its keys has a kid'), fetched, { reason, duration })
      }
      if (isImmutable) dropCompromised(fetched.compromised)
      const { keySet, changes, refused } = await keys.replace(fetched, clock.now())
      counters.refreshes += 1
      succeeded()
      listener.changed()
      tellRefused(refused)
      // What upstream no longer has stays where keys are immutable.
      tellChanges(isImmutable ? { ...changes, removed: [] } : changes)
      events.emit('refresh', { ...key, reason, modified: fetched.modified, duration })
      return { ok: true, modified: fetched.modified, keySet, ...changes }
    },

    fail: failed,

    leave() {
      const keySet = keys.active() ?? createKeySet([])
      return { ok: true, modified: false, keySet, added: [], removed: [], changed: [] }
    },

    async adopt(loaded) {
      const before = keys.published()
      if (!(await keys.adopt(loaded))) return false
      succeeded()
      tellRefused(loaded.refused)
      const after = keys.published()
      if (before !== undefined && after !== undefined) tellChanges(compareKeySets(before, after))
      events.emit('snapshot-loaded', { ...key })
      return true
    },

    async forget(kid) {
      if (!(await keys.forget(kid, clock.now()))) return false
      listener.changed()
      events.emit('key-forgotten', { ...key, kid })
      return true
    },

    unavailable(cause = lastError) {
      const wait = (failure?.retryAt ?? 0) - clock.now()
      return new KeysUnavailableError({ retryAfter: Math.max(wait, SHORTEST_RETRY_AFTER), cause })
    },

    applyRevocations: keys.applyRevocations,

    servedStale() {
      counters.stale += 1
      if (toldStale === failure) return
      toldStale = failure
      events.emit('stale', { ...key })
    },

    importFailed(brokenKey) {
      if (broken.has(brokenKey)) return
      broken.add(brokenKey)
      tellRefused(summarizeRefused([{ reason: 'import-failed', kid: brokenKey.kid }]))
    },

    clear() {
      keys.clear()
      failure = undefined
    },
  }
}

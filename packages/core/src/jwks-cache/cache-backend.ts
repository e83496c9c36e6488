import type { Instant } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { KeySet, KeySetChanges } from '../jwks/key-set.ts'
import type { FetchReason } from './cache-events.ts'
import type { RefreshFailure } from './policy.ts'
import type { Revocation } from './usable-keys.ts'

/** How a fetch ended. */
export type FetchOutcome =
  | ({
      readonly ok: true
      /** False where the published keys are the ones that were cached. */
      readonly modified: boolean
      /** The keys that may be used now. */
      readonly keySet: KeySet
    } & KeySetChanges)
  | {
      readonly ok: false
      /** What went wrong; the cached keys stay. */
      readonly error: JwksAuthError
    }

/** A fetch that is about to be made. */
export interface FetchPlan {
  readonly reason: FetchReason
  /** When it was planned. */
  readonly startedAt: Instant
  /** Milliseconds that whoever waits will wait. */
  readonly deadline: number
  /** Says whether the cached keys have become good enough without it. */
  isSatisfied(): boolean
}

/** What to do about a {@link FetchPlan}. */
export type FetchDecision =
  /** Fetch, and call `end` with the outcome. */
  | {
      readonly kind: 'fetch'
      /** True where another process has taken over meanwhile, and its keys are cached now. */
      isOvertaken(): Promise<boolean>
      /** Ends the permission. Never throws. */
      end(outcome: FetchOutcome, failure: RefreshFailure | undefined): void
    }
  /** The cached keys are as new as they get: another process has fetched, or the fleet's budget is spent. */
  | { readonly kind: 'unchanged' }
  /** Another process has failed; back off with it. */
  | { readonly kind: 'failed'; readonly error: JwksAuthError; readonly count: number; readonly pause: number }

/** What a store adds to a cache. None of its methods throws or rejects. */
export interface CacheBackend {
  /** Decides whether this process may fetch. */
  plan(plan: FetchPlan): Promise<FetchDecision>
  /** The load from the store that is in flight, if there is one. */
  pendingLoad(): Promise<unknown> | undefined
  /** The cached keys have changed. */
  changed(): void
  /** Revocations have learned the thumbprints of their keys. */
  completed(records: readonly Revocation[]): void
  /** The last refetch has found what it was for: the fleet's budget is given back. */
  returnRefetch(): void
  /** Settles when nothing remains to be saved; `undefined` where nothing does. */
  pendingSave(): Promise<unknown> | undefined
}

import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { KeysUnavailableError } from '../base/errors/request-errors.ts'
import type { KeySet, KeySetChanges } from '../jwks/key-set.ts'
import type { VerificationKey } from '../jwks/verification-key.ts'
import type { Counters } from './counters.ts'
import type { Entry } from './entry.ts'
import type { CacheState } from './policy.ts'
import type { RefreshTarget } from './refresher.ts'
import type { LoadedSnapshot } from './snapshot.ts'

/** How a fetch ended. */
export type FetchOutcome =
  | ({
      readonly ok: true
      /** False when the provider, or another process of the fleet, confirmed what was held. */
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
  /** The entry as it is to be stored, also one without keys that remembers which were forgotten. */
  record(): Entry | undefined
  /** Where it came from. */
  source(): 'upstream' | 'store'
  /** The keys that may be used: those published and not revoked. */
  active(): KeySet | undefined
  /** {@link active} while there is nothing to do but to serve them: no refresh is due, and no revocation under way. */
  undisputed(now: number): KeySet | undefined
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
  /** Takes over what a store had, unless what is held is as new; false where nothing came of it. */
  adopt(loaded: LoadedSnapshot): Promise<boolean>
  /** Drops an immutable key; false where it is not held. */
  forget(kid: string): Promise<boolean>
  /** Takes revocations into account that were made or taken back just now. */
  applyRevocations(): Promise<void>
  /** Counts keys served past their expiry. */
  servedStale(): void
  /** Tells, once, that a key could not be imported. */
  importFailed(key: VerificationKey): undefined
  /** Forgets the keys. */
  clear(): void
}

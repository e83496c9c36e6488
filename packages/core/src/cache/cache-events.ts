import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { KeyRefusal } from '../jwks/verification-key.ts'
import type { SnapshotRefusal } from '../stores/integrity.ts'

/** Why a fetch was made. */
export type FetchReason =
  /** Nothing was held. */
  | 'first'
  /** What is held was due. */
  | 'due'
  /** A token named a `kid` that is not held, or its signature did not verify with the key that is. */
  | 'unknown-kid'
  /** `registry.refresh()` was called. */
  | 'requested'

/** An event about one key of a provider. */
export interface KeyEvent extends ProviderKey {
  /** The key's id, as the provider published it. */
  readonly kid: string
}

/** A published key that is not used. */
export interface KeyRefusedEvent extends ProviderKey {
  /** The key's id, where it has one. */
  readonly kid: string | undefined
  /** What is wrong with it. */
  readonly reason: KeyRefusal
}

/** An upstream request was begun. */
export interface FetchEvent extends ProviderKey {
  /** What it is for. */
  readonly reason: FetchReason
}

/** A refresh has succeeded. */
export interface RefreshEvent extends ProviderKey {
  /** What it was for. */
  readonly reason: FetchReason
  /** False for a 304: what is held was confirmed. */
  readonly modified: boolean
  /** How long it took, retries included, in milliseconds. */
  readonly duration: number
}

/** A refresh has failed; what is held stays. */
export interface RefreshFailedEvent extends ProviderKey {
  /** What it was for. */
  readonly reason: FetchReason
  /** How long it took, retries included, in milliseconds. */
  readonly duration: number
  /** What went wrong. */
  readonly error: JwksAuthError
}

/** A snapshot or a revocation in the store is not believed. */
export interface SnapshotRefusedEvent extends ProviderKey {
  /** What is wrong with it. */
  readonly reason: SnapshotRefusal
}

/** What a store was asked to do. */
export type StoreOperation = 'load' | 'save' | 'delete' | 'coordinate' | 'revoke'

/** The store failed, or was too slow. */
export interface StoreFailedEvent extends ProviderKey {
  /** What it was asked to do. */
  readonly operation: StoreOperation
  /** What went wrong; the store's own error is its `cause`. */
  readonly error: JwksAuthError
}

/** Something about the store that an operator should know. */
export interface StoreWarningEvent extends ProviderKey {
  /** What it is, and what it means, in a sentence. */
  readonly message: string
}

/** Every event of a registry, by type. */
export interface RegistryEvents {
  /** An upstream request was begun. */
  fetch: FetchEvent
  /** A refresh has succeeded. */
  refresh: RefreshEvent
  /** A refresh has failed; what is held stays. */
  'refresh-failed': RefreshFailedEvent
  /** Keys past their expiry were served, because refreshes fail. Once for each failed refresh. */
  stale: ProviderKey
  /** A key is published that was not before. */
  'key-added': KeyEvent
  /** A key is no longer published. */
  'key-removed': KeyEvent
  /** Another key is published under a `kid` that is held. */
  'key-changed': KeyEvent
  /** A published key is not used. */
  'key-refused': KeyRefusedEvent
  /** A token named a `kid` that is not held. Once for each look upstream. */
  'unknown-kid': ProviderKey
  /** A key was revoked with `revokeKey`. */
  'key-revoked': KeyEvent
  /** A revocation was taken back with `unrevokeKey`. */
  'key-unrevoked': KeyEvent
  /** The keys of a provider were dropped from memory, because more than `maxProviders` key sets were held. */
  evicted: ProviderKey
  /** Keys were taken over from the store. */
  'snapshot-loaded': ProviderKey
  /** Keys were written to the store. */
  'snapshot-saved': ProviderKey
  /** What the store has of a provider is not believed; it is kept aside, and the provider asked instead. */
  'snapshot-refused': SnapshotRefusedEvent
  /** The store failed, or was too slow. Until it answers again, nobody waits for it. */
  'store-failed': StoreFailedEvent
  /** The store answers again; what is held is saved now. */
  'store-recovered': ProviderKey
  /** Something about the store that an operator should know, once for each registry. */
  'store-warning': StoreWarningEvent
  /** An immutable key was dropped with `forgetKey`. */
  'key-forgotten': KeyEvent
}

/** The types of {@link RegistryEvents}. */
export const registryEventTypes: readonly (keyof RegistryEvents)[] = Object.freeze([
  'fetch',
  'refresh',
  'refresh-failed',
  'stale',
  'key-added',
  'key-removed',
  'key-changed',
  'key-refused',
  'unknown-kid',
  'key-revoked',
  'key-unrevoked',
  'evicted',
  'snapshot-loaded',
  'snapshot-saved',
  'snapshot-refused',
  'store-failed',
  'store-recovered',
  'store-warning',
  'key-forgotten',
])

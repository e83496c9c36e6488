import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { RefusedKey } from '../jwks/key-set.ts'
import type { SnapshotRefusal } from '../stores/integrity.ts'

/** Why a fetch was made. */
export type FetchReason =
  /** No keys were cached. */
  | 'first'
  /** The cached keys were due for a refresh. */
  | 'due'
  /** A token named a `kid` that is not cached, or its signature did not verify with the cached key. */
  | 'unknown-kid'
  /** `registry.refresh()` was called. */
  | 'requested'

/** An event about one key of a provider. */
export interface KeyEvent extends ProviderKey {
  /** The key's id, as the provider published it. */
  readonly kid: string
}

/** Published keys that are not used. One event for each response. */
export interface KeysRefusedEvent extends ProviderKey {
  /** How many keys are not used. */
  readonly count: number
  /** The first ten of them: the key's id, where it has one, and what is wrong with it. */
  readonly refused: readonly Pick<RefusedKey, 'kid' | 'reason'>[]
}

/** An upstream request was started. */
export interface FetchEvent extends ProviderKey {
  /** What it is for. */
  readonly reason: FetchReason
}

/** A refresh has succeeded. */
export interface RefreshEvent extends ProviderKey {
  /** What it was for. */
  readonly reason: FetchReason
  /** False where the published keys are the ones that were cached. */
  readonly modified: boolean
  /** How long it took, retries included, in milliseconds. */
  readonly duration: number
}

/** A refresh has failed; the cached keys stay. */
export interface RefreshFailedEvent extends ProviderKey {
  /** What it was for. */
  readonly reason: FetchReason
  /** How long it took, retries included, in milliseconds. */
  readonly duration: number
  /** What went wrong. */
  readonly error: JwksAuthError
}

/** A snapshot or a revocation in the store is refused. */
export interface SnapshotRefusedEvent extends ProviderKey {
  /** What is wrong with it. */
  readonly reason: SnapshotRefusal
}

/** What a store was asked to do. */
export type StoreOperation = 'load' | 'save' | 'delete' | 'coordinate' | 'revoke' | 'subscribe'

/** The store failed, or was too slow. */
export interface StoreFailedEvent extends ProviderKey {
  /** What it was asked to do. */
  readonly operation: StoreOperation
  /** What went wrong; the store's own error is its `cause`. */
  readonly error: JwksAuthError
}

/** The store works again. */
export interface StoreRecoveredEvent extends ProviderKey {
  /** The operation that had failed. */
  readonly operation: StoreOperation
}

/** Something about the store that an operator should know. */
export interface StoreWarningEvent extends ProviderKey {
  /** A sentence: what it is, and what it means. */
  readonly message: string
}

/** A tenant could not be looked up. */
export interface TenantLookupFailedEvent extends ProviderKey {
  /** The tenant. Perhaps there is none of that name. */
  readonly tenant: string
  /** `*`: it is about all providers of the tenant. */
  readonly provider: string
  /** Its `cause` is what the function `tenants` threw, or what is wrong with its result. */
  readonly error: JwksAuthError
}

/** Two tenants that were looked up have one issuer. */
export interface IssuerSharedEvent extends ProviderKey {
  /** The issuer. */
  readonly issuer: string
  /** The tenant that has it already. */
  readonly otherTenant: string
}

/** A token's issuer is almost that of a provider. */
export interface IssuerMismatchEvent extends ProviderKey {
  /** The issuer as it is configured. */
  readonly issuer: string
  /** What is different in the token: a slash at the end, upper and lower case, or both. */
  readonly difference: 'trailing-slash' | 'case' | 'trailing-slash-and-case'
}

/** A request was refused. */
export interface RefusedEvent {
  /** The tenant, where the request has one that is configured. */
  readonly tenant?: string
  /** The provider, where the tenant has one of the token's issuer. */
  readonly provider?: string
  /** Why: a code of `docs/errors.md`. */
  readonly code: JwksAuthError['code']
  /** The status of the response. */
  readonly status: number
}

/** Every event of a registry, by type. */
export interface RegistryEvents {
  /** An upstream request was started. Providers that share a key set share the request: it names the one that asked. */
  fetch: FetchEvent
  /** A refresh has succeeded. */
  refresh: RefreshEvent
  /** A refresh has failed; the cached keys stay. */
  'refresh-failed': RefreshFailedEvent
  /** Keys past their expiry were served, because refreshes fail. Once for each failed refresh. */
  stale: ProviderKey
  /**
   * A provider can no longer serve requests: refreshes fail, and no keys are cached that may be used. Once for each time;
   * emitted when it happens, whether or not requests come in.
   */
  unavailable: ProviderKey
  /** A provider can serve requests again. Once after each `unavailable`. */
  recovered: ProviderKey
  /** A request was refused, by an authenticator or a guard. */
  refused: RefusedEvent
  /** A key is published that was not before. */
  'key-added': KeyEvent
  /** A key is no longer published. */
  'key-removed': KeyEvent
  /** Another key is published under a cached `kid`. */
  'key-changed': KeyEvent
  /** Published keys are not used. Once for each response. */
  'keys-refused': KeysRefusedEvent
  /** A token named a `kid` that is not cached. Once for each refetch. */
  'unknown-kid': ProviderKey
  /** A key was revoked with `revokeKey`. */
  'key-revoked': KeyEvent
  /** A revocation was lifted with `unrevokeKey`. */
  'key-unrevoked': KeyEvent
  /** A provider's keys were dropped from memory, because more than `maxProviders` key sets were cached. */
  evicted: ProviderKey
  /** Keys were loaded from the store. */
  'snapshot-loaded': ProviderKey
  /** Keys were saved to the store. */
  'snapshot-saved': ProviderKey
  /** A snapshot in the store is refused; it is kept aside, and the keys are fetched instead. */
  'snapshot-refused': SnapshotRefusedEvent
  /** The store failed, or was too slow. Requests do not wait for it until it works again. */
  'store-failed': StoreFailedEvent
  /** The store works again; what could not be saved is saved now. */
  'store-recovered': StoreRecoveredEvent
  /** Something about the store that an operator should know, once for each registry. */
  'store-warning': StoreWarningEvent
  /** An immutable key was dropped with `forgetKey`. */
  'key-forgotten': KeyEvent
  /** A tenant could not be looked up; its last configuration is kept, if there is one. Once for each lookup. */
  'tenant-lookup-failed': TenantLookupFailedEvent
  /** A provider of a looked-up tenant is refused: another tenant has its issuer, and nothing tells their tokens apart. */
  'issuer-shared': IssuerSharedEvent
  /** A token was refused whose issuer differs from a configured one only by a trailing slash or by case. Once for each. */
  'issuer-mismatch': IssuerMismatchEvent
}

/** The types of {@link RegistryEvents}. */
export const registryEventTypes: readonly (keyof RegistryEvents)[] = Object.freeze([
  'fetch',
  'refresh',
  'refresh-failed',
  'stale',
  'unavailable',
  'recovered',
  'refused',
  'key-added',
  'key-removed',
  'key-changed',
  'keys-refused',
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
  'tenant-lookup-failed',
  'issuer-shared',
  'issuer-mismatch',
])

/** An event of a provider's cache, without the provider's name. */
export type CacheEvent = {
  [Type in Exclude<keyof RegistryEvents, 'refused'>]: readonly [
    type: Type,
    details: Omit<RegistryEvents[Type], keyof ProviderKey>,
  ]
}[Exclude<keyof RegistryEvents, 'refused'>]

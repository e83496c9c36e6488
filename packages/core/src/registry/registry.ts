import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import type { Clock } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { EventBus } from '../base/events.ts'
import type { Instrumentation } from '../base/instrumentation.ts'
import type { Unchecked } from '../base/options.ts'
import type { Network } from '../http/address-rules.ts'
import type { KeySetChanges } from '../jwks/key-set.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { RestoreReport } from '../persistence/persistence.ts'
import type { ProviderUsage } from './provider-usage.ts'
import type { RegisteredProvider } from './registered-provider.ts'
import type { CheckedRegistration, ProviderRegistration } from './registration.ts'
import type { ProviderStatus } from './status.ts'

/** The result of `registry.refresh()`. */
export type RefreshOutcome =
  | ({
      /** `true`: the keys were fetched, or confirmed by a 304. */
      readonly ok: true
      /** False where the published keys are the ones that were cached. */
      readonly modified: boolean
    } & KeySetChanges)
  | {
      /** `false`: the fetch has failed. */
      readonly ok: false
      /** What went wrong; the cached keys still serve. */
      readonly error: JwksAuthError
    }

/** The providers of all tenants, and the cached keys of each. */
export interface Registry {
  /**
   * Registers a provider and loads its snapshot, waiting `storeTimeout` at most; never waits for the provider. The same
   * registration again shares what is there.
   *
   * @throws TypeError that names a wrong option
   * @throws ProviderTakenError where something else has the name: `unregister` it first
   */
  register(registration: ProviderRegistration): Promise<void>
  /** Removes a provider and its keys, the stored ones included; revocations stay. False where it was not registered. */
  unregister(tenant: string, provider: string): Promise<boolean>
  /**
   * Returns the provider's usable keys, public members only. With a `kid`, a set with that `kid`, fetched if necessary.
   *
   * @throws ProviderNotRegisteredError, KeysUnavailableError, KeyNotFoundError or KeyRevokedError
   */
  resolve(tenant: string, provider: string, kid?: string): Promise<JSONWebKeySet>
  /** Fetches the provider's keys now, whether due or not. A failure is an outcome, not a rejection. */
  refresh(tenant: string, provider: string): Promise<RefreshOutcome>
  /**
   * Refuses a `kid`, and the key cached under it by its RFC 7638 thumbprint, at once and without a fetch. It
   * outlives refreshes and `unregister`, and, with a store, restarts; processes that share a directory or Redis know it within five
   * seconds.
   *
   * @throws StoreFailedError where it could not be saved; it is in force here, and saving is retried until it succeeds
   */
  revokeKey(tenant: string, provider: string, kid: string): Promise<void>
  /**
   * Lifts a revocation. False where the `kid` was not revoked.
   *
   * @throws StoreFailedError as `revokeKey` does
   */
  unrevokeKey(tenant: string, provider: string, kid: string): Promise<boolean>
  /**
   * Drops one immutable key, the stored one included, so that it can be learned again. False where it is not cached.
   *
   * @throws TypeError where the provider's `keyLifetime` is not `'immutable'`
   * @throws StoreFailedError where the store still has it; it is tried again until it succeeds
   */
  forgetKey(tenant: string, provider: string, kid: string): Promise<boolean>
  /**
   * Returns a key resolver for `jose.jwtVerify`, in place of `createRemoteJWKSet`. Where several keys fit a token, it rejects
   * with jose's `JWKSMultipleMatchingKeys`, which can be iterated for these keys, four at most.
   */
  keyResolver(tenant: string, provider: string): JWTVerifyGetKey
  /**
   * Saves all cached keys to the store, and waits for it. Without a store it does nothing; with one it is rarely needed,
   * since every change is saved at once.
   *
   * @throws StoreFailedError where something could not be saved
   */
  persistAll(): Promise<void>
  /** Loads the snapshots of all registrations again, and uses those that are newer. A failure is in the report. */
  restore(): Promise<RestoreReport>
  /** The status of one provider. Does not fetch. */
  status(tenant: string, provider: string): ProviderStatus
  /** The status of every provider, in the order of their registration. */
  statuses(): ProviderStatus[]
  /** Listens to one type of event; the returned function stops it. A listener that throws affects nothing else. */
  on<Type extends keyof RegistryEvents>(type: Type, listener: (event: RegistryEvents[Type]) => void): () => void
  /** Stops timers, requests and connections, so that the process can exit. Later calls are refused with `ERR_REGISTRY_CLOSED`. */
  close(): Promise<void>
}

/** How an authenticator registers a provider. */
export interface RegisterOptions {
  /** The value of `network` where neither the registration nor the defaults have one. */
  readonly network: Network
  /** Prefix of the names in messages. */
  readonly where: string
  /** Registers it only until {@link RegistryInternals} `release` is called: the provider of a tenant that was looked up. */
  readonly isLeased?: boolean
  /** The leased provider whose place it takes, where that is another registration. */
  readonly replaced?: RegisteredProvider | undefined
}

/** What the simulation and the authenticator need beyond {@link Registry}. */
export interface RegistryInternals extends Registry {
  readonly [internals]: {
    readonly clock: Clock
    readonly events: EventBus<RegistryEvents>
    readonly instrumentation: Instrumentation
    /** Runs background work in the async context in which the registry was created. */
    readonly runDetached: <Value>(work: () => Value) => Value
    /** True after `close()`. */
    isClosed(): boolean
    /** The usage of every provider that was used. */
    usage(): readonly ProviderUsage[]
    /** Registers synchronously. Returns the existing provider where it is registered already. */
    registerNow(registration: unknown, options: RegisterOptions): RegisteredProvider
    /** Checks without registering; throws what `registerNow` would throw. */
    check(registration: unknown, options: RegisterOptions): Pick<CheckedRegistration, 'issuers' | 'options'>
    /** Checks provider options that are defaults for registrations to come; throws a TypeError that names a wrong one. */
    checkDefaults(options: Unchecked): Pick<CheckedRegistration['options'], 'keyLifetime'>
    /**
     * Ends a lease. A provider without a lease that nothing else has registered leaves memory; revocations stay. `'evicted'`
     * keeps its stored keys and lets requests in progress end, `'removed'` does neither.
     */
    release(registered: RegisteredProvider, reason: 'evicted' | 'removed'): void
  }
}

/** The key of what a registry keeps for its own package. */
export const internals: unique symbol = Symbol('jwks-auth registry internals')

/**
 * The registry with its internals.
 *
 * @throws TypeError for anything that `createRegistry` did not create
 */
export function internalsOf(registry: unknown): RegistryInternals {
  if (typeof registry !== 'object' || registry === null || !(internals in registry)) {
    throw new TypeError('registry must be one that createRegistry made')
  }
  return registry as RegistryInternals
}

import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import type { Clock } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { Network } from '../http/address-rules.ts'
import type { KeySetChanges } from '../jwks/key-set.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { RestoreReport } from '../persistence/persistence.ts'
import type { RegisteredProvider } from './registered-provider.ts'
import type { CheckedRegistration, ProviderRegistration } from './registration.ts'
import type { ProviderStatus } from './status.ts'

/** How a refresh that was asked for ended. */
export type RefreshOutcome =
  | ({
      /** `true`: fetched, or confirmed. */
      readonly ok: true
      /** False when the provider confirmed what was held with a 304. */
      readonly modified: boolean
    } & KeySetChanges)
  | {
      /** `false`: not fetched. */
      readonly ok: false
      /** What went wrong; the keys that were held still serve. */
      readonly error: JwksAuthError
    }

/** The providers of all tenants, and the cached keys of each. */
export interface Registry {
  /**
   * Registers a provider; waits for no upstream. The same registration again shares what is there.
   *
   * @throws TypeError that names a wrong option
   * @throws ProviderTakenError where something else has the name: `unregister` it first
   */
  register(registration: ProviderRegistration): Promise<void>
  /** Forgets a provider and its keys, those in the store, too, not what was revoked of it. False when it was not registered. */
  unregister(tenant: string, provider: string): Promise<boolean>
  /**
   * The provider's usable keys, public members only. With a `kid`, a set that holds that `kid`, fetched if it must be.
   *
   * @throws ProviderNotRegisteredError, KeysUnavailableError, KeyNotFoundError or KeyRevokedError
   */
  resolve(tenant: string, provider: string, kid?: string): Promise<JSONWebKeySet>
  /** Fetches the provider's keys now, whether due or not. A failure is an outcome, not a rejection. */
  refresh(tenant: string, provider: string): Promise<RefreshOutcome>
  /**
   * Refuses a `kid`, and the key that is held under it by its RFC 7638 thumbprint, at once and without a fetch. It
   * outlives refreshes and `unregister`, and, with a store, restarts; processes that share a directory or Redis know it within five
   * seconds.
   *
   * @throws StoreFailedError where it could not be written down; it holds here, and is tried again until it succeeds
   */
  revokeKey(tenant: string, provider: string, kid: string): Promise<void>
  /**
   * Takes `revokeKey` back. False when the `kid` was not revoked.
   *
   * @throws StoreFailedError as `revokeKey` does
   */
  unrevokeKey(tenant: string, provider: string, kid: string): Promise<boolean>
  /**
   * Drops one immutable key, from the store, too, so that it can be learned anew. False when it is not held.
   *
   * @throws TypeError where the provider's `keyLifetime` is not `'immutable'`
   * @throws StoreFailedError where the store still has it; it is tried again until it succeeds
   */
  forgetKey(tenant: string, provider: string, kid: string): Promise<boolean>
  /**
   * A key resolver for `jose.jwtVerify`, in the place of `createRemoteJWKSet`. Where several keys fit a token, it rejects
   * with jose's `JWKSMultipleMatchingKeys`, which can be iterated for these keys, four at most.
   */
  keyResolver(tenant: string, provider: string): JWTVerifyGetKey
  /**
   * Writes all that is held to the store, and waits for it. Without a store it does nothing; with one it is rarely needed,
   * since every change is written at once.
   *
   * @throws StoreFailedError where something could not be written
   */
  persistAll(): Promise<void>
  /** Loads every registration from the store again, and takes over what is newer. A failure is in the report. */
  restore(): Promise<RestoreReport>
  /** How one provider stands. Asks nobody. */
  status(tenant: string, provider: string): ProviderStatus
  /** How every provider stands, in the order of their registration. */
  statuses(): ProviderStatus[]
  /** Listens to one type of event; the returned function stops it. A listener that throws harms nobody. */
  on<Type extends keyof RegistryEvents>(type: Type, listener: (event: RegistryEvents[Type]) => void): () => void
  /** Stops timers, requests and connections, so that the process can exit. What is asked for afterwards is refused. */
  close(): Promise<void>
}

/** What the simulation and the authenticator need beyond {@link Registry}. */
export interface RegistryInternals extends Registry {
  readonly [internals]: {
    readonly clock: Clock
    /** True after `close()`. */
    isClosed(): boolean
    /** Registers synchronously; `network` holds where neither the registration nor the defaults say. */
    registerNow(
      registration: unknown,
      options: { readonly network: Network; readonly where: string },
    ): RegisteredProvider
    /** Checks without registering; throws what `registerNow` would throw. */
    check(
      registration: unknown,
      options: { readonly network: Network; readonly where: string },
    ): Pick<CheckedRegistration, 'issuers'>
  }
}

/** The key of what a registry keeps for its own package. */
export const internals: unique symbol = Symbol('jwks-auth registry internals')

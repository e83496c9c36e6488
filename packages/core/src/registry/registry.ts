import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { type Clock, elapsed, type Instant } from '../base/clock.ts'
import type { JwksAuthError } from '../base/errors/jwks-auth-error.ts'
import type { EventBus, Instrumentation } from '../base/events.ts'
import type { Unchecked } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { Network } from '../http/addresses.ts'
import type { KeySetChanges } from '../jwks/key-set.ts'
import type { SignatureAlgorithm } from '../jwks/verification-key.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import { cachedKeys, createMetrics, type Metrics } from '../jwks-cache/cache-state.ts'
import { usableFor } from '../jwks-cache/policy.ts'
import { type CacheContext, ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { Upstream } from '../jwks-cache/upstream.ts'
import type { Persistence, RestoreReport } from '../persistence/persistence.ts'
import type { StoreSide } from '../persistence/store-circuit.ts'
import { type CheckedRegistration, type ProviderRegistration, snapshotRules } from './registration.ts'

/** The status of a provider's cache. Times are ISO 8601 in UTC; absent ones are `undefined`. */
export interface ProviderStatus extends ProviderKey {
  /**
   * `'empty'`: no keys are cached that may be used; `'loading'`: the same, and a fetch is in flight; `'ready'`: there are
   * such keys; `'refreshing'`: the same, and a fetch is in flight. `health` is `'unavailable'` in the first two and in no other.
   */
  readonly state: 'empty' | 'loading' | 'ready' | 'refreshing'
  /**
   * `'fresh'`; `'stale'`: past expiry, and not requested since; `'failing'`: the last refresh failed (`errorCount` is not 0)
   * and the cached keys still serve; `'unavailable'`: no usable keys are cached.
   */
  readonly health: 'fresh' | 'stale' | 'failing' | 'unavailable'
  /** When the cached keys were last fetched or confirmed. */
  readonly lastRefresh: string | undefined
  /** From when on the next refresh may start. */
  readonly nextRefresh: string | undefined
  /** Until when the keys are fresh. */
  readonly expiresAt: string | undefined
  /** Until when they may serve while refreshes fail. */
  readonly staleUntil: string | undefined
  /** Refreshes that failed since the last one that succeeded. */
  readonly errorCount: number
  /** How the last attempt failed, if it did, refetches for unknown `kid`s included: a code of `docs/errors.md` and its fixed sentence. */
  readonly lastError: Pick<JwksAuthError, 'code' | 'message'> | undefined
  /** The share of requests that cached keys served, 0 to 1; 0 before the first. */
  readonly hitRate: number
  /** The share of requests served with keys past their expiry, 0 to 1. */
  readonly staleServeRatio: number
  /** The `kid`s that verify now, in the order in which they are published. */
  readonly kids: readonly string[]
  /** Where the cached keys came from: fetched, loaded, or configured as `jwks`; `'none'` where nothing is cached. */
  readonly source: 'upstream' | 'store' | 'inline' | 'none'
  /** Health of the registry's store: `'failing'` while any side of it fails, `'none'` without a store. */
  readonly store: 'ready' | 'failing' | 'none'
  /**
   * The sides of the store that fail at the moment: a store that cannot be written is still read. `'coordinating'` are
   * leases, the shared refetch budget and notices. The events `store-failed` say which operation, for which provider, and why.
   */
  readonly failingStoreSides: readonly StoreSide[]
  /** What was counted since registration. */
  readonly metrics: Readonly<Metrics>
}

/** What a status is computed with, beside the cache. */
export interface StatusContext {
  readonly now: Instant
  /** `undefined` without a store. */
  readonly failingSides: readonly StoreSide[] | undefined
}

/** The status of a provider; `cache` is absent until its first use. */
export function providerStatus(
  key: ProviderKey,
  cache: ProviderCache | undefined,
  { now, failingSides }: StatusContext,
): ProviderStatus {
  const state = cache?.state
  const metrics = { ...(cache?.metrics ?? createMetrics()) }
  const cached = state && cachedKeys(state)
  const lastError = state?.lastError
  const age = cached === undefined ? 0 : elapsed(cached.fetchedAt, now)
  const usable = cached === undefined ? 0 : usableFor(cached.lifetimes, state?.failure)
  const isFetching = cache?.isFetching === true
  const untilRefresh = cache?.untilRefresh()
  /** A moment so many milliseconds after the fetch; by the wall clock as it is now, should it have been stepped. */
  const at = (milliseconds: number): string | undefined =>
    cached === undefined ? undefined : isoTime(now.wall - age + milliseconds)
  const errorCount = state?.failure?.count ?? 0
  const canServe = cached !== undefined && age < usable
  return {
    ...key,
    state: canServe ? (isFetching ? 'refreshing' : 'ready') : isFetching ? 'loading' : 'empty',
    health: canServe ? healthOfServing(age < cached.lifetimes.freshFor, errorCount) : 'unavailable',
    lastRefresh: at(0),
    nextRefresh: untilRefresh === undefined ? undefined : isoTime(now.wall + untilRefresh),
    expiresAt: at(cached?.lifetimes.freshFor ?? 0),
    staleUntil: at(usable),
    errorCount,
    lastError: lastError === undefined ? undefined : { code: lastError.code, message: lastError.message },
    hitRate: ratio(metrics.hits, metrics.requests),
    staleServeRatio: ratio(metrics.stale, metrics.requests),
    kids: !canServe ? [] : [...(state?.usable.byKid.keys() ?? [])],
    source: cached?.source ?? 'none',
    store: failingSides === undefined ? 'none' : failingSides.length === 0 ? 'ready' : 'failing',
    failingStoreSides: failingSides ?? [],
    metrics,
  }
}

function healthOfServing(isFresh: boolean, errorCount: number): ProviderStatus['health'] {
  if (errorCount > 0) return 'failing'
  return isFresh ? 'fresh' : 'stale'
}

function isoTime(time: number): string | undefined {
  // Keys that never expire have no such moment.
  return Number.isFinite(time) ? new Date(time).toISOString() : undefined
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

/** What an exporter of metrics reads of a provider that was used. Cheaper than a status: nothing is copied. */
export interface ProviderUsage extends ProviderKey {
  /** What was counted since registration. The same object each time, whose counters grow. */
  readonly metrics: Readonly<Metrics>
  /** Milliseconds since the cached keys were fetched or confirmed; `undefined` where nothing is cached. */
  readonly keyAge: number | undefined
  /**
   * Milliseconds until the cached keys may no longer serve; `Infinity` for keys that never expire. 0 where none may and
   * refreshes fail: requests are refused. `undefined` where none may and none failed: the next request fetches.
   */
  readonly untilUnusable: number | undefined
}

/** What a cache is created with, on its first use. */
export interface ProviderParts {
  readonly context: CacheContext
  readonly persistence: Persistence
  readonly upstreamOf: (registration: CheckedRegistration) => Upstream
}

/** A provider in a registry. An idle one is little more than its registration: the cache is created on its first use. */
export class RegisteredProvider {
  readonly registration: CheckedRegistration
  /** True once it is unregistered, or replaced by another registration. */
  isRemoved = false
  /** False where it lasts only while an authenticator that looks its tenants up has leased it. */
  isPermanent = false
  /** How many authenticators have leased it. */
  leases = 0
  /** Settles when the store's snapshot is loaded, or the store was too slow. */
  loaded: Promise<unknown> | undefined
  readonly #parts: ProviderParts
  #cache: ProviderCache | undefined

  constructor(registration: CheckedRegistration, parts: ProviderParts) {
    this.registration = registration
    this.#parts = parts
  }

  get key(): ProviderKey {
    return this.registration.key
  }

  get algorithms(): readonly SignatureAlgorithm[] {
    return this.registration.options.algorithms
  }

  /** The cache, created on first use. */
  get cache(): ProviderCache {
    this.#cache ??= this.#createCache()
    return this.#cache
  }

  /** Drops a cache that was created to look into the store, found nothing there and was not used yet. */
  dropUnused(): void {
    const cache = this.#cache
    if (cache === undefined || cache.state.cached !== undefined) return
    if (cache.metrics.requests === 0 && !cache.isFetching) this.#cache = undefined
  }

  /** The cache, if it was used. */
  get usedCache(): ProviderCache | undefined {
    return this.#cache
  }

  #createCache(): ProviderCache {
    const { registration } = this
    const { context, persistence, upstreamOf } = this.#parts
    const { key, options } = registration
    const { connect } = persistence
    const upstream = upstreamOf(registration)
    const revocations = persistence.revocations.of(key)
    if (registration.jwks !== undefined) {
      const cache = new ProviderCache(key, options, upstream, revocations, context)
      cache.useInline(registration.jwks)
      return cache
    }
    if (connect === undefined) return new ProviderCache(key, options, upstream, revocations, context)
    const rules = snapshotRules(registration)
    return new ProviderCache(key, options, upstream, revocations, context, (cache) => connect(cache, options, rules))
  }
}

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
    /** Aborted by `close()`. */
    readonly closed: AbortSignal
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
    throw new TypeError(
      'registry must be one that createRegistry made, or the registry of a middleware or authenticator',
    )
  }
  return registry as RegistryInternals
}

import type { ProviderKey } from '../base/provider-key.ts'
import type { SignatureAlgorithm } from '../jwks/algorithms.ts'
import { type CacheContext, ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { Upstream } from '../jwks-cache/upstream.ts'
import type { Persistence } from '../persistence/persistence.ts'
import { type CheckedRegistration, snapshotRules } from './registration.ts'

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

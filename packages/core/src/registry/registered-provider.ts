import type { ProviderKey } from '../base/provider-key.ts'
import type { JwksSource } from '../cache/jwks-source.ts'
import { type CacheContext, ProviderCache } from '../cache/provider-cache.ts'
import type { SignatureAlgorithm } from '../jwks/algorithms.ts'
import { type CheckedRegistration, snapshotRules } from './registration.ts'

/** What a cache is made of, once there is a first question for it. */
export interface ProviderParts {
  readonly context: CacheContext
  readonly source: (registration: CheckedRegistration) => JwksSource
}

/** A provider in a registry. An idle one is little more than its registration: the cache comes with the first use. */
export class RegisteredProvider {
  readonly registration: CheckedRegistration
  /** True once it is unregistered. */
  isRemoved = false
  /** Settles when what the store has is loaded, or the store was too slow. */
  loaded: Promise<void> | undefined
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

  /** The cache, made on first use. */
  get cache(): ProviderCache {
    this.#cache ??= new ProviderCache(
      this.registration.key,
      this.registration.options,
      this.#parts.source(this.registration),
      snapshotRules(this.registration),
      this.#parts.context,
    )
    return this.#cache
  }

  /** Lets go of a cache that was made to look into the store, found nothing there and was not asked for anything yet. */
  dropUnused(): void {
    const { holdings, isFetching } = this.#cache ?? {}
    if (holdings?.record() === undefined && holdings?.counters.requests === 0 && isFetching === false) {
      this.#cache = undefined
    }
  }

  /** The cache, if it was used. */
  get usedCache(): ProviderCache | undefined {
    return this.#cache
  }
}

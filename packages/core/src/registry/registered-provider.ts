import type { ProviderKey } from '../base/provider-key.ts'
import type { JwksSource } from '../cache/jwks-source.ts'
import { type CacheContext, ProviderCache } from '../cache/provider-cache.ts'
import type { Tombstones } from '../cache/tombstones.ts'
import type { SignatureAlgorithm } from '../keys/algorithms.ts'
import type { CheckedRegistration } from './registration.ts'

/** What a cache is made of, once there is a first question for it. */
export interface ProviderParts {
  readonly context: CacheContext
  readonly tombstones: (key: ProviderKey) => Tombstones
  readonly source: (registration: CheckedRegistration) => JwksSource
}

/** A provider in a registry. An idle one is little more than its registration: the cache comes with the first use. */
export class RegisteredProvider {
  readonly registration: CheckedRegistration
  /** True once it is unregistered. */
  isRemoved = false
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
      this.#parts.tombstones(this.registration.key),
      this.#parts.context,
    )
    return this.#cache
  }

  /** The cache, if it was used. */
  get usedCache(): ProviderCache | undefined {
    return this.#cache
  }
}

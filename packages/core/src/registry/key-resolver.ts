import type { KeyObject } from 'node:crypto'
import type { JWTVerifyGetKey } from 'jose'
import { JWKSMultipleMatchingKeys } from 'jose/errors'
import { type Clock, instant } from '../base/clock.ts'
import { AlgorithmNotAllowedError, KeyNotFoundError } from '../base/errors/request-errors.ts'
import type { SignatureAlgorithm } from '../jwks/algorithms.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'

/** A provider as a key resolver needs it. */
export interface ResolvableProvider {
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly cache: ProviderCache
}

/**
 * Creates a key resolver for `jose.jwtVerify`, as `jose.createRemoteJWKSet` does.
 *
 * It rejects with the error of `ProviderCache.findKeys` where no key can be had, with `AlgorithmNotAllowedError` for an
 * `alg` that the provider does not allow, and with jose's `JWKSMultipleMatchingKeys` where several keys fit the token.
 * That error is an async iterable of these keys, at most four, to be tried one after the other.
 */
export function createKeyResolver(clock: Clock, provider: () => ResolvableProvider): JWTVerifyGetKey {
  return async ({ alg, kid }) => {
    const { algorithms, cache } = provider()
    if (!algorithms.some((allowed) => allowed === alg)) throw new AlgorithmNotAllowedError()
    const found = await cache.findKeys(kid, alg, instant(clock))
    if (found instanceof Error) throw found
    const keys = found.flatMap((key) => cache.importKey(key, alg)?.keyObject ?? [])
    const [key] = keys
    if (key === undefined) throw new KeyNotFoundError()
    if (keys.length > 1) throw multipleMatchingKeys(keys)
    return key
  }
}

function multipleMatchingKeys(keys: readonly KeyObject[]): JWKSMultipleMatchingKeys {
  const error = new JWKSMultipleMatchingKeys()
  // jose declares CryptoKeys here. `jwtVerify` takes KeyObjects as well, and remembers their conversion.
  return Object.defineProperty(error, Symbol.asyncIterator, {
    value: async function* () {
      yield* keys
    },
  })
}

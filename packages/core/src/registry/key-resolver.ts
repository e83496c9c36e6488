import type { JWTVerifyGetKey } from 'jose'
import { AlgorithmNotAllowedError, KeyNotFoundError } from '../base/errors/request-errors.ts'
import type { ProviderCache } from '../cache/provider-cache.ts'
import type { SignatureAlgorithm } from '../keys/algorithms.ts'

/** A provider as a key resolver needs it. */
export interface ResolvableProvider {
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly cache: ProviderCache
}

/**
 * What `jose.jwtVerify` takes instead of a key. Exactly one key must fit the token: jose is given one and tries no
 * second.
 */
export function createKeyResolver(provider: () => ResolvableProvider): JWTVerifyGetKey {
  return async ({ alg, kid }) => {
    const { algorithms, cache } = provider()
    if (!algorithms.some((allowed) => allowed === alg)) throw new AlgorithmNotAllowedError()
    const [key, ...others] = await cache.find(kid, alg)
    const imported = key === undefined || others.length > 0 ? undefined : await cache.importKey(key, alg)
    if (imported === undefined) throw new KeyNotFoundError()
    return imported.cryptoKey
  }
}

import type { JWTVerifyGetKey } from 'jose'
import { type Clock, instant } from '../base/clock.ts'
import { AlgorithmNotAllowedError, KeyNotFoundError } from '../base/errors/request-errors.ts'
import type { ProviderCache } from '../cache/provider-cache.ts'
import type { SignatureAlgorithm } from '../jwks/algorithms.ts'

/** A provider as a key resolver needs it. */
export interface ResolvableProvider {
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly cache: ProviderCache
}

/**
 * What `jose.jwtVerify` takes instead of a key. Exactly one key must fit the token: jose is given one and tries no
 * second.
 */
export function createKeyResolver(clock: Clock, provider: () => ResolvableProvider): JWTVerifyGetKey {
  return async ({ alg, kid }) => {
    const { algorithms, cache } = provider()
    if (!algorithms.some((allowed) => allowed === alg)) throw new AlgorithmNotAllowedError()
    const found = await cache.findKeys(kid, alg, instant(clock))
    if (found instanceof Error) throw found
    const [key, ...others] = found
    const imported = key === undefined || others.length > 0 ? undefined : await cache.importKey(key, alg)
    if (imported === undefined) throw new KeyNotFoundError()
    return imported.cryptoKey
  }
}

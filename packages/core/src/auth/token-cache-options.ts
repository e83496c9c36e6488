import { integerOption, knownOptions, objectOption, withDefault } from '../base/options.ts'

/** How many verified tokens an authenticator keeps. */
export interface TokenCacheOptions {
  /** Tokens; the least recently used one is dropped. 1 to 10 000 000. Default 10 000. */
  readonly max?: number | undefined
  /** Bytes of memory, claims and all, as far as they can be estimated. 1 or more. Default 16 777 216. */
  readonly maxBytes?: number | undefined
}

/** {@link TokenCacheOptions}, complete and checked. */
export type TokenCacheBounds = { readonly [Name in keyof TokenCacheOptions]-?: number }

/**
 * Checks the option `tokenCache`.
 *
 * @returns `undefined` for `false`
 * @throws TypeError that names the option
 */
export function checkTokenCache(value: unknown): TokenCacheBounds | undefined {
  if (value === false) return undefined
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    throw new TypeError('tokenCache must be an object or false')
  }
  const given = objectOption('tokenCache', withDefault(value, {}))
  knownOptions('tokenCache', given, ['max', 'maxBytes'])
  return Object.freeze({
    max: integerOption('tokenCache.max', withDefault(given['max'], 10_000), { min: 1, max: 10_000_000 }),
    maxBytes: integerOption('tokenCache.maxBytes', withDefault(given['maxBytes'], 16_777_216), { min: 1 }),
  })
}

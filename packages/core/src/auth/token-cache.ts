import { LRUCache } from 'lru-cache'
import { integerOption, knownOptions, objectOption, withDefault } from '../base/options.ts'
import type { AuthProvider } from './auth-providers.ts'
import type { VerifiedToken } from './verified-token.ts'

/** How many verified tokens an authenticator keeps. */
export interface TokenCacheOptions {
  /** Tokens; the least recently used one is dropped. 1 to 10 000 000. Default 10 000. */
  readonly max?: number | undefined
  /** Bytes of memory, claims included, as estimated. 1 or more. Default 16 777 216. */
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

/**
 * The verified tokens of one authenticator. The cache decides nothing: whether a token is still accepted depends on its
 * times, its tenant and its key, on each request.
 */
export interface TokenCache<Verification> {
  /** The entry of exactly this token. */
  find(text: string): VerifiedToken | undefined
  add(token: VerifiedToken): void
  drop(token: VerifiedToken): void
  /** The verification of exactly this token for this provider that is in flight. */
  inFlight(text: string, provider: AuthProvider): Promise<Verification> | undefined
  /** Shares a verification with concurrent requests that bring the same token, until it settles. */
  share(text: string, provider: AuthProvider, verification: Promise<Verification>): void
  /** Drops all entries; nothing is added afterwards. */
  close(): void
}

/** A verification in flight. */
interface Flight<Verification> {
  readonly provider: AuthProvider
  readonly verification: Promise<Verification>
}

/**
 * The key of a token in the cache: 32 bits from the end of its signature. Tokens with the same key only evict each other,
 * since the whole text is compared. Hashing the whole text instead would take 1.5 µs, more than the rest of a cache hit;
 * docs/decisions/011-verified-token-cache.md has the figures.
 */
export function tokenKey(text: string): number {
  let key = 0
  // Six bits a character; the last one may hold as few as two.
  for (let at = text.length - 7; at < text.length - 1; at += 1) key = (key << 6) ^ text.charCodeAt(at)
  return key
}

/** Creates an empty cache with bounds. */
export function createTokenCache<Verification>({ max, maxBytes }: TokenCacheBounds): TokenCache<Verification> {
  const tokens = new LRUCache<number, VerifiedToken>({
    max,
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }) => bytes,
  })
  const flights = new Map<string, Flight<Verification>>()
  let isClosed = false
  return {
    find(text) {
      const found = tokens.get(tokenKey(text))
      return found !== undefined && found.text === text ? found : undefined
    },
    add(token) {
      if (!isClosed) tokens.set(tokenKey(token.text), token)
    },
    drop({ text }) {
      const key = tokenKey(text)
      if (tokens.peek(key)?.text === text) tokens.delete(key)
    },
    inFlight(text, provider) {
      const flight = flights.get(text)
      return flight?.provider === provider ? flight.verification : undefined
    },
    share(text, provider, verification) {
      const flight = { provider, verification }
      const end = (): void => {
        if (flights.get(text) === flight) flights.delete(text)
      }
      flights.set(text, flight)
      verification.then(end, end)
    },
    close() {
      isClosed = true
      tokens.clear()
    },
  }
}

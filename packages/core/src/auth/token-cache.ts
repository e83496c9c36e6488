import { LRUCache } from 'lru-cache'

/** What the cache reads of an entry. */
interface CachedToken {
  readonly text: string
  /** An estimate of what it takes in memory. */
  readonly bytes: number
}

/**
 * The verified tokens of one authenticator. The cache decides nothing: whether a token is still accepted depends on its
 * times, its tenant and its key, on each request.
 */
export interface TokenCache<Token, Verification> {
  /** The entry of exactly this token. */
  find(text: string): Token | undefined
  add(token: Token): void
  drop(token: Token): void
  /** The verification of exactly this token for this provider that is in flight. */
  inFlight(text: string, provider: object): Promise<Verification> | undefined
  /** Shares a verification with concurrent requests that bring the same token, until it settles. */
  share(text: string, provider: object, verification: Promise<Verification>): void
  /** Drops all entries; nothing is added afterwards. */
  close(): void
}

/** A verification in flight. */
interface Flight<Verification> {
  readonly provider: object
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
export function createTokenCache<Token extends CachedToken, Verification>({
  max,
  maxBytes,
}: {
  readonly max: number
  readonly maxBytes: number
}): TokenCache<Token, Verification> {
  const tokens = new LRUCache<number, Token>({
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

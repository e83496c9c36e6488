import { LRUCache } from 'lru-cache'
import type { AuthProvider } from './provider-table.ts'
import type { TokenCacheBounds } from './token-cache-options.ts'
import type { VerifiedToken } from './verified-token.ts'

/** A first use of a token that is under way. */
interface Verification<FirstUse> {
  readonly text: string
  readonly provider: AuthProvider
  readonly done: Promise<FirstUse>
}

/**
 * The verified tokens of one authenticator. It only remembers: whether a token may still be accepted, its times, its
 * tenant and its key decide, each time.
 */
export interface TokenCache<FirstUse> {
  /** What was verified of exactly this text. */
  find(text: string): VerifiedToken | undefined
  /** Keeps a token that was verified. */
  add(token: VerifiedToken): void
  /** Forgets a token. */
  drop(token: VerifiedToken): void
  /** The verification of this very text for this provider that is under way. */
  underWay(text: string, provider: AuthProvider): Promise<FirstUse> | undefined
  /** Lets those that come with the same text meanwhile share a verification. */
  share(text: string, provider: AuthProvider, done: Promise<FirstUse>): void
  /** Forgets everything, and keeps nothing from then on. */
  close(): void
}

/**
 * Characters at the end of a token by which it is looked up: 192 bits of its signature, or nearly. A whole token as the
 * key costs three times the look-up (hashing 800 characters), a digest ten times. Tokens with the same end only take
 * each other's place, since the whole text is compared.
 */
const KEY_LENGTH = 32

/** A cache with bounds. */
export function createTokenCache<FirstUse>({ max, maxBytes }: TokenCacheBounds): TokenCache<FirstUse> {
  const tokens = new LRUCache<string, VerifiedToken>({
    max,
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }) => bytes,
  })
  const verifications = new Map<string, Verification<FirstUse>>()
  let isClosed = false
  return {
    find(text) {
      const token = tokens.get(text.slice(-KEY_LENGTH))
      return token !== undefined && token.text === text ? token : undefined
    },
    add(token) {
      if (!isClosed) tokens.set(token.text.slice(-KEY_LENGTH), token)
    },
    drop({ text }) {
      const key = text.slice(-KEY_LENGTH)
      if (tokens.peek(key)?.text === text) tokens.delete(key)
    },
    underWay(text, provider) {
      const verification = verifications.get(text.slice(-KEY_LENGTH))
      return verification?.text === text && verification.provider === provider ? verification.done : undefined
    },
    share(text, provider, done) {
      const key = text.slice(-KEY_LENGTH)
      const verification = { text, provider, done }
      verifications.set(key, verification)
      const forget = (): void => {
        if (verifications.get(key) === verification) verifications.delete(key)
      }
      done.then(forget, forget)
    },
    close() {
      isClosed = true
      tokens.clear()
    },
  }
}

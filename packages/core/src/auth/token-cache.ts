import { LRUCache } from 'lru-cache'
import { createCommonValues } from './common-values.ts'
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
  /** What was verified of exactly this token. */
  find(token: string): VerifiedToken | undefined
  /** What was verified of the token in exactly this `Authorization` header; nothing for one of any other form. */
  findBearer(authorization: string): VerifiedToken | undefined
  /** Keeps a token that was verified. */
  add(token: VerifiedToken): void
  /** Forgets a token. */
  drop(token: VerifiedToken): void
  /** The verification of this very text for this provider that is under way. */
  underWay(text: string, provider: AuthProvider): Promise<FirstUse> | undefined
  /** Lets those that come with the same text meanwhile share a verification, until {@link unshare}. */
  share(text: string, provider: AuthProvider, done: Promise<FirstUse>): void
  /** Ends that, when the verification is done. */
  unshare(text: string, done: Promise<FirstUse>): void
  /** Forgets everything, and keeps nothing from then on. */
  close(): void
}

/**
 * The number by which a token is looked up: 32 bits of its signature, from the characters at its end. Tokens that share
 * one only take each other's place, since the whole text is compared. A string as the key costs 0.25 µs more, for hashing
 * it; docs/decisions/011-verified-token-cache.md has the figures.
 *
 * @param text a token, or any text that ends in it
 */
export function tokenKey(text: string): number {
  let key = 0
  // Six bits a character; the last one may hold as few as two.
  for (let at = text.length - 7; at < text.length - 1; at += 1) key = (key << 6) ^ text.charCodeAt(at)
  return key
}

/** A cache with bounds. */
export function createTokenCache<FirstUse>({ max, maxBytes }: TokenCacheBounds): TokenCache<FirstUse> {
  const tokens = new LRUCache<number, VerifiedToken>({
    max,
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }) => bytes,
  })
  const verifications = new Map<number, Verification<FirstUse>>()
  const common = createCommonValues()
  let isClosed = false
  return {
    find(token) {
      const found = tokens.get(tokenKey(token))
      return found !== undefined && found.text === token ? found : undefined
    },
    findBearer(authorization) {
      const found = tokens.get(tokenKey(authorization))
      return found !== undefined && found.authorization === authorization ? found : undefined
    },
    add(token) {
      if (isClosed) return
      common.share(token)
      tokens.set(tokenKey(token.text), token)
    },
    drop({ text }) {
      const key = tokenKey(text)
      if (tokens.peek(key)?.text === text) tokens.delete(key)
    },
    underWay(text, provider) {
      const verification = verifications.get(tokenKey(text))
      return verification?.text === text && verification.provider === provider ? verification.done : undefined
    },
    share(text, provider, done) {
      verifications.set(tokenKey(text), { text, provider, done })
    },
    unshare(text, done) {
      const key = tokenKey(text)
      if (verifications.get(key)?.done === done) verifications.delete(key)
    },
    close() {
      isClosed = true
      tokens.clear()
      common.clear()
    },
  }
}

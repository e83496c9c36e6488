import { LRUCache } from 'lru-cache'
import type { AuthProvider } from './provider-table.ts'
import type { VerifiedToken } from './verified-token.ts'

/** More providers than take turns within a moment. */
const MAX_PROVIDERS = 100

type Values = Pick<VerifiedToken, 'claims' | 'scopes'>

/**
 * Lets remembered tokens have in common what they say alike. Most tokens of a provider differ in `sub` and `jti` and in
 * little else. It saves a third of an entry; and a hit, whose copy of the claims reads the start of every string, finds in
 * a near cache what other hits have read.
 */
export interface CommonValues {
  /** Replaces what the token has like the one before by that one's. */
  share(verified: VerifiedToken): void
  clear(): void
}

/** None, to begin with. */
export function createCommonValues(): CommonValues {
  const latest = new LRUCache<AuthProvider, Values>({ max: MAX_PROVIDERS })
  return {
    share(verified) {
      const { provider, claims, scopes } = verified
      const before = latest.get(provider)
      if (before !== undefined) {
        shareMembers(claims as Record<string, unknown>, before.claims as Readonly<Record<string, unknown>>)
        if (isSameList(scopes, before.scopes)) verified.scopes = before.scopes
      }
      latest.set(provider, { claims, scopes: verified.scopes })
    },
    clear: () => latest.clear(),
  }
}

function shareMembers(claims: Record<string, unknown>, before: Readonly<Record<string, unknown>>): void {
  // Only what is a member already is assigned, so that not even `__proto__` is assigned to anything else.
  for (const name of Object.keys(claims)) {
    const value = claims[name]
    const other = before[name]
    if (typeof value === 'string' ? value === other : isSameList(value, other)) claims[name] = other
  }
}

/** True for lists of the same strings. */
function isSameList(list: unknown, other: unknown): boolean {
  if (!Array.isArray(list) || !Array.isArray(other) || list.length !== other.length) return false
  return list.every((item, at) => typeof item === 'string' && item === other[at])
}

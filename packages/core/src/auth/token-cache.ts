import { LRUCache } from 'lru-cache'
import type { VerificationKey } from '../jwks/verification-key.ts'
import { type Auth, bytesOfJson, cloneJson, createAuth, isJsonData, partsOf, type UserAuthentication } from './auth.ts'
import type { AuthProvider } from './auth-providers.ts'
import { issuerOf, type TokenTimes, tokenTimes } from './check-claims.ts'
import type { ParsedToken, TokenHeader } from './parse-token.ts'

/** A verified token, as it is cached. None of it is handed out: each request gets clones. */
export interface VerifiedToken extends TokenTimes {
  readonly text: string
  /** The provider by whose rules it was verified. */
  readonly provider: AuthProvider
  readonly issuer: string
  /** The key that verified it. An equal one that a refresh or a restart has created takes its place. */
  key: VerificationKey
  readonly header: TokenHeader
  /** The claims; where the schema's output cannot be cloned, those that the schema is given. */
  readonly claims: unknown
  /** True where the schema has to run for each request. */
  readonly needsSchema: boolean
  readonly scopes: readonly string[]
  readonly authentication: UserAuthentication
  /** `exp`, in milliseconds since the epoch. */
  readonly expiresAt: number
  /** False where header or claims nest too deeply to be cloned: such a token is not cached. */
  readonly isCloneable: boolean
  /** An estimate of what it takes in memory. */
  readonly bytes: number
}

/** What an entry takes beside text, names and values; docs/decisions/011-verified-token-cache.md has the measurement. */
const ENTRY_BYTES = 1_024

/**
 * Creates the cache entry of a token that was verified with this key.
 *
 * @param output what the schema made of the claims; the payload where there is no schema
 * @param derived {@link bytesOf} the token, and its scopes
 */
export function createVerifiedToken(
  { text, header, payload }: ParsedToken,
  provider: AuthProvider,
  key: VerificationKey,
  output: unknown,
  { bytes, scopes }: { readonly bytes: number; readonly scopes: readonly string[] },
): VerifiedToken {
  const isOwnOutput = output !== payload && isJsonData(output)
  const needsSchema = output !== payload && !isOwnOutput
  // Not spread into the entry: that makes it slow to create and to read (docs/decisions/011-verified-token-cache.md).
  const { from, until, last, expiresAt } = tokenTimes(payload, provider.rules)
  return {
    from,
    until,
    last,
    expiresAt,
    // Copied: a slice of the request's header would keep all of that in memory.
    text: Buffer.from(text, 'latin1').toString('latin1'),
    provider,
    issuer: issuerOf(payload),
    key,
    header,
    claims: isOwnOutput ? cloneJson(output) : payload,
    needsSchema,
    scopes,
    authentication: {
      acr: payload['acr'],
      authTime: payload['auth_time'],
      clockTolerance: provider.rules.clockTolerance,
    },
    isCloneable: Number.isFinite(bytes),
    bytes: bytes + (isOwnOutput ? bytesOfJson(output) : 0),
  }
}

/** An estimate of what a token takes in memory; `Infinity` where it nests too deeply to be cloned. */
export function bytesOf({ text, header, payload }: ParsedToken): number {
  return ENTRY_BYTES + text.length + bytesOfJson(header) + bytesOfJson(payload)
}

/** The claims of a token as its schema is given them: a clone, since the output may contain parts of it. */
export function inputFor({ payload }: ParsedToken, bytes: number): unknown {
  return Number.isFinite(bytes) ? cloneJson(payload) : payload
}

/** The claims for one request, or the input of its schema. */
export function claimsFor({ claims, isCloneable }: VerifiedToken): unknown {
  return isCloneable ? cloneJson(claims) : claims
}

/** The token as one request sees it. */
export function authFor<Output>(verified: VerifiedToken, claims: Output): Auth<Output> {
  const { provider, header, isCloneable } = verified
  return createAuth(provider.registered.key, verified, claims, isCloneable ? cloneJson(header) : header)
}

/** The verified token that {@link authFor} made an `Auth` of; `undefined` for anything else, copies included. */
export function verifiedOf(auth: object): VerifiedToken | undefined {
  // Only `authFor` calls `createAuth`.
  return partsOf(auth) as VerifiedToken | undefined
}

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

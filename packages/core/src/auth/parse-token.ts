import { isUtf8 } from 'node:buffer'
import { LRUCache } from 'lru-cache'
import { CriticalHeaderNotUnderstoodError, TokenMalformedError } from '../base/errors/request-errors.ts'
import { isObject } from '../base/options.ts'

/** A JWT's protected header (RFC 7515 §4). Members that are not named here are as they came. */
export interface TokenHeader {
  /** The signature algorithm (§4.1.1). */
  readonly alg: string
  /** Which key signed (§4.1.4). */
  readonly kid?: string | undefined
  /** The type of the token (§4.1.9). */
  readonly typ?: string | undefined
  /** Any other member. Keys and URLs of keys among them (`jwk`, `jku`, `x5c`, `x5u`) are never used. */
  readonly [name: string]: unknown
}

/** A parsed token, nothing of it verified. */
export interface ParsedToken {
  readonly text: string
  readonly header: TokenHeader
  readonly payload: Readonly<Record<string, unknown>>
  /** What was signed (RFC 7515 §5.1), in ASCII. */
  readonly signingInput: string
  readonly signature: Uint8Array
}

/** Headers of verified tokens by their encoded text: the tokens of an issuer have few different ones. */
export interface HeaderCache {
  get(encoded: string): TokenHeader | undefined
  /** Keeps the header of a verified token. */
  set(token: ParsedToken): void
}

/** More than an issuer has keys at a time, for many issuers. */
const MAX_HEADERS = 1_000

/**
 * Creates an empty header cache. It saves a third of parsing, which is most of refusing an expired or foreign token. Only
 * headers of verified tokens enter, so that forged ones evict none.
 */
export function createHeaderCache(): HeaderCache {
  const headers = new LRUCache<string, TokenHeader>({ max: MAX_HEADERS })
  return {
    get: (encoded) => headers.get(encoded),
    set({ text, header }) {
      const encoded = text.slice(0, text.indexOf('.'))
      // Copied: a slice would keep the whole token in memory.
      if (!headers.has(encoded)) headers.set(Buffer.from(encoded, 'latin1').toString('latin1'), header)
    },
  }
}

/**
 * Parses a JWT in compact form (RFC 7515 §7.1) strictly: three parts, canonical base64url, UTF-8, JSON objects without
 * duplicate members. Returns its refusal, as docs/decisions/013-refusals-are-returned.md explains.
 */
export function parseToken(
  text: string,
  headers?: Pick<HeaderCache, 'get'>,
): ParsedToken | TokenMalformedError | CriticalHeaderNotUnderstoodError {
  const firstDot = text.indexOf('.')
  const lastDot = text.indexOf('.', firstDot + 1)
  if (firstDot <= 0 || lastDot < 0 || text.includes('.', lastDot + 1)) return new TokenMalformedError()
  const encodedHeader = text.slice(0, firstDot)
  const header = headers?.get(encodedHeader) ?? readHeader(decodeObject(encodedHeader))
  if (header instanceof Error) return header
  const payload = decodeObject(text.slice(firstDot + 1, lastDot))
  const signature = decodeBase64url(text.slice(lastDot + 1))
  if (payload === undefined || signature === undefined) return new TokenMalformedError()
  return { text, header, payload, signature, signingInput: text.slice(0, lastDot) }
}

function readHeader(
  header: Readonly<Record<string, unknown>> | undefined,
): TokenHeader | TokenMalformedError | CriticalHeaderNotUnderstoodError {
  if (header === undefined) return new TokenMalformedError()
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') return new TokenMalformedError()
  if (kid !== undefined && typeof kid !== 'string') return new TokenMalformedError()
  if (typ !== undefined && typeof typ !== 'string') return new TokenMalformedError()
  // RFC 7515 §4.1.11: what is critical and not understood makes the token invalid. RFC 7797 §6: `b64` must be critical.
  if ('crit' in header || 'b64' in header) return new CriticalHeaderNotUnderstoodError()
  // Checked above.
  return header as TokenHeader
}

/** RFC 7515 §4.1.9: a media type without case, `application/` left out. */
export function canonicalType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '')
}

/** The JSON object in one part of a token; `undefined` if there is none. */
function decodeObject(part: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = decodeBase64url(part)
  if (bytes === undefined || !isUtf8(bytes)) return undefined
  const value = parseJson(bytes.toString('utf8'))
  return isObject(value) && hasSameMembers(bytes, value) ? value : undefined
}

/** Accepts canonical base64url only (RFC 7515 §2, RFC 4648 §3.5): Node's decoder skips what does not belong. */
function decodeBase64url(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return part === '' || bytes.toString('base64url') !== part ? undefined : bytes
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without the cause: the parser's message quotes the token.
    return undefined
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/**
 * True where the parsed value has exactly the members that the text has. It has not where an object has a member
 * twice, which `JSON.parse` hides and other readers resolve otherwise (RFC 8725 §2.4, RFC 7515 §4); nor where
 * `JSON.parse` itself misreads a name with escapes, as V8 does in Node 24 and 26 after it has seen one that contains a
 * backslash.
 *
 * @param json the text in UTF-8, of which reading a byte costs a third of reading a string's character
 * @param value what `JSON.parse` made of the text
 */
export function hasSameMembers(json: Uint8Array, value: unknown): boolean {
  const { count, hasEscapes } = scanMembers(json)
  if (count !== countMembers(value)) return false
  if (!hasEscapes) return true
  const literals: string[] = []
  scanMembers(json, literals)
  const names = literals.map((literal) => JSON.parse(literal) as string).toSorted()
  const parsedNames: string[] = []
  countMembers(value, parsedNames)
  return parsedNames.toSorted().every((name, at) => name === names[at])
}

/** The names of a text's members, all levels together. */
interface WrittenMembers {
  readonly count: number
  /** True where some name is written with an escape. */
  readonly hasEscapes: boolean
}

/**
 * Every member has one colon outside of strings, and its name is the string before that. In UTF-8, bytes like these are
 * nothing else (RFC 3629 §3).
 *
 * @param literals filled, if given, with the names as they are written, quotes included
 */
function scanMembers(json: Uint8Array, literals?: string[]): WrittenMembers {
  let count = 0
  let hasEscapes = false
  let start = -1
  let end = -1
  let isEscaped = false
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]
    if (byte === QUOTE) {
      start = at
      isEscaped = false
      for (at += 1; at < json.length && json[at] !== QUOTE; at += 1) {
        if (json[at] !== BACKSLASH) continue
        isEscaped = true
        at += 1
      }
      end = at + 1
    } else if (byte === COLON) {
      count += 1
      hasEscapes ||= isEscaped
      literals?.push(Buffer.from(json.subarray(start, end)).toString())
    }
  }
  return { count, hasEscapes }
}

/**
 * Without recursion, as a token can nest deeper than the stack is; and without copying the values of each list and
 * object, which takes 2 to 10 times as long.
 *
 * @param names filled, if given, with the names of the members
 */
function countMembers(value: unknown, names?: string[]): number {
  let count = 0
  const pending: object[] = []
  const addPending = (child: unknown): void => {
    if (typeof child === 'object' && child !== null) pending.push(child)
  }
  addPending(value)
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (Array.isArray(next)) {
      for (const item of next) addPending(item)
      continue
    }
    for (const name of Object.keys(next)) {
      count += 1
      names?.push(name)
      addPending((next as Record<string, unknown>)[name])
    }
  }
  return count
}

import { isUtf8 } from 'node:buffer'
import { CriticalHeaderNotUnderstoodError, TokenMalformedError } from '../base/errors/request-errors.ts'
import { hasSameMembers } from './json-members.ts'

/** A JWT's protected header (RFC 7515 §4), as far as it was looked at; other members are as they came. */
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

/** A token taken apart, nothing of it verified. */
export interface ParsedToken {
  readonly token: string
  readonly header: TokenHeader
  readonly payload: Readonly<Record<string, unknown>>
  /** What was signed (RFC 7515 §5.1), in ASCII. */
  readonly signingInput: string
  readonly signature: Buffer
}

/** Headers that were read before, by their encoded text: tokens of one issuer have the same few. */
export type KnownHeaders = Pick<ReadonlyMap<string, TokenHeader>, 'get'>

/**
 * Reads a JWT in compact form (RFC 7515 §7.1) strictly: three parts, canonical base64url, UTF-8, JSON objects without
 * duplicate members.
 *
 * @param known headers that need not be read again, which is a third of the work
 * @throws TokenMalformedError or CriticalHeaderNotUnderstoodError
 */
export function parseToken(token: string, known?: KnownHeaders): ParsedToken {
  const firstDot = token.indexOf('.')
  const lastDot = token.indexOf('.', firstDot + 1)
  if (firstDot <= 0 || lastDot < 0 || token.includes('.', lastDot + 1)) throw new TokenMalformedError()
  const headerPart = token.slice(0, firstDot)
  const header = known?.get(headerPart) ?? readHeader(readObject(headerPart))
  const payload = readObject(token.slice(firstDot + 1, lastDot))
  const signature = readBase64url(token.slice(lastDot + 1))
  return { token, header, payload, signature, signingInput: token.slice(0, lastDot) }
}

function readHeader(header: Readonly<Record<string, unknown>>): TokenHeader {
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') throw new TokenMalformedError()
  if (kid !== undefined && typeof kid !== 'string') throw new TokenMalformedError()
  if (typ !== undefined && typeof typ !== 'string') throw new TokenMalformedError()
  // RFC 7515 §4.1.11: what is critical and not understood makes the token invalid. RFC 7797 §6: `b64` must be critical.
  if ('crit' in header || 'b64' in header) throw new CriticalHeaderNotUnderstoodError()
  return header as TokenHeader
}

function readObject(part: string): Readonly<Record<string, unknown>> {
  const bytes = readBase64url(part)
  if (!isUtf8(bytes)) throw new TokenMalformedError()
  const value = parseJson(bytes.toString('utf8'))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TokenMalformedError()
  if (!hasSameMembers(bytes, value)) throw new TokenMalformedError()
  return value as Record<string, unknown>
}

/** Canonical or not at all (RFC 7515 §2, RFC 4648 §3.5): decoding skips what does not belong, encoding again shows it. */
function readBase64url(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (part === '' || bytes.toString('base64url') !== part) throw new TokenMalformedError()
  return bytes
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without a cause: the parser's message quotes the token.
    throw new TokenMalformedError()
  }
}

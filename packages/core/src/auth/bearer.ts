import { AuthorizationMalformedError, TokenTooLongError } from '../base/errors/request-errors.ts'

/** The scheme (RFC 9110 §11.1: case-insensitive), and nothing more of the same word. */
const BEARER = /^bearer(?![!#$%&'*+.^_`|~0-9a-z-])/i
const SPACE = 0x20
/** RFC 6750 §2.1. */
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/**
 * Takes the token from the `Authorization` header (RFC 6750 §2.1).
 *
 * @returns `undefined` where there are no credentials or those of another scheme
 * @throws AuthorizationMalformedError for a header that came twice, or holds anything but one token
 * @throws TokenTooLongError past `maxBytes`, before anything is read
 */
export function bearerToken(header: string | readonly string[] | undefined, maxBytes: number): string | undefined {
  const credentials = bearerCredentials(header, maxBytes)
  if (credentials !== undefined && !isBearerToken(credentials)) throw new AuthorizationMalformedError()
  return credentials
}

/** True for what is one token by its characters (RFC 6750 §2.1), as everything is that reads as a JWT. */
export function isBearerToken(credentials: string): boolean {
  return B64TOKEN.test(credentials)
}

/** As {@link bearerToken}, but what comes after the scheme may be no token. */
export function bearerCredentials(
  header: string | readonly string[] | undefined,
  maxBytes: number,
): string | undefined {
  if (header === undefined || header === '') return undefined
  if (typeof header !== 'string') throw new AuthorizationMalformedError()
  if (!BEARER.test(header)) return undefined
  let start = 'bearer'.length
  // The spaces after the scheme may be many; what is longer than any of them and a token allow is cut off unread.
  if (header.length - start > maxBytes * 2) throw new TokenTooLongError()
  while (header.charCodeAt(start) === SPACE) start += 1
  if (header.length - start > maxBytes) throw new TokenTooLongError()
  return header.slice(start)
}

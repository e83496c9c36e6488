import { validateHeaderName, validateHeaderValue } from 'node:http'
import { UpstreamRequestFailedError } from '../base/errors/upstream-errors.ts'
import { isObject } from '../base/options.ts'

/** Request headers: a record, or a function that is called for each fetch. */
export type RequestHeaders =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>)

/**
 * What the connection (RFC 9110 §7.6.1), the message framing, and this package's own decoding and revalidation rely on.
 */
const FORBIDDEN = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['host', 'content-length', 'expect', 'accept-encoding', 'range'],
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'],
])

/** What is wrong with request headers, as the end of a sentence that begins with their name; `undefined` if nothing is. */
export function headersFault(headers: unknown): string | undefined {
  if (!isObject(headers)) return 'must be an object of header names and values'
  for (const [name, value] of Object.entries(headers)) {
    if (!isValid(() => validateHeaderName(name))) return `has a name that is not a header name: ${JSON.stringify(name)}`
    if (FORBIDDEN.has(name.toLowerCase()))
      return `must not have ${JSON.stringify(name)}, which is set by the HTTP client`
    if (typeof value !== 'string' || !isValid(() => validateHeaderValue(name, value))) {
      return `must have a valid header value for ${JSON.stringify(name)}`
    }
  }
  return undefined
}

function isValid(check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

/**
 * The headers for one fetch, by lower-case name.
 *
 * @throws UpstreamRequestFailedError where the function fails or returns something else
 */
export async function readRequestHeaders(headers: RequestHeaders): Promise<Readonly<Record<string, string>>> {
  let given: unknown = headers
  if (typeof headers === 'function') {
    try {
      given = await headers()
    } catch (error) {
      throw new UpstreamRequestFailedError('the function headers failed', { cause: error })
    }
  }
  const fault = headersFault(given)
  if (fault !== undefined || !isObject(given)) {
    throw new UpstreamRequestFailedError('the function headers returned something other than valid request headers')
  }
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), String(value)]))
}

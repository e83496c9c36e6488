import type { AuthRequest } from './auth-request.ts'

/** The headers of a Node request. */
export interface NodeHeaders {
  /** Headers by lower-case name, repeated ones joined or dropped by Node. */
  readonly headers: AuthRequest['headers']
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders?: readonly string[] | undefined
}

/**
 * Returns one header, by its lower-case name; an array where it came more than once. `headers` does not show that: Node
 * silently drops a second `Authorization` or `Host`, and joins other repeated headers.
 */
export function nodeHeader({ headers, rawHeaders }: NodeHeaders, name: string): string | readonly string[] | undefined {
  if (rawHeaders === undefined) return headers[name]
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (isNamed(rawHeaders[at], name)) count += 1
  return count > 1 ? rawHeaders.filter((_, at) => at % 2 === 1 && isNamed(rawHeaders[at - 1], name)) : headers[name]
}

/** Compares lengths first, since most names differ in length. */
function isNamed(written: string | undefined, name: string): boolean {
  if (written === undefined || written.length !== name.length) return false
  return written === name || written.toLowerCase() === name
}

/** Returns all headers, with an array for each that came more than once. Use it instead of a Node request's `headers`. */
export function nodeHeaders({ headers, rawHeaders }: NodeHeaders): AuthRequest['headers'] {
  if (rawHeaders === undefined) return headers
  // Counting `headers` is not enough: a middleware may have added as many as Node left out.
  const seen = new Map<string, string[]>()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    const values = seen.get(name)
    if (values === undefined) seen.set(name, [rawHeaders[at + 1] ?? ''])
    else values.push(rawHeaders[at + 1] ?? '')
  }
  if (seen.size * 2 === rawHeaders.length) return headers
  const repeated = [...seen].filter(([, values]) => values.length > 1)
  return { ...headers, ...Object.fromEntries(repeated) }
}

import type { AuthRequest } from './auth-request.ts'

/** A Node request's headers, as its `headers` and `rawHeaders` have them. */
export interface NodeHeaders {
  /** Headers by lower-case name, repeated ones joined or dropped by Node. */
  readonly headers: AuthRequest['headers']
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders?: readonly string[] | undefined
}

/**
 * One header, by its lower-case name; an array where it came more than once. `headers` alone does not tell: of a second
 * `Authorization` or `Host` Node keeps the first and says nothing, and it joins other repeated ones.
 */
export function nodeHeader({ headers, rawHeaders }: NodeHeaders, name: string): string | readonly string[] | undefined {
  if (rawHeaders === undefined) return headers[name]
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (isNamed(rawHeaders[at], name)) count += 1
  return count > 1 ? rawHeaders.filter((_, at) => at % 2 === 1 && isNamed(rawHeaders[at - 1], name)) : headers[name]
}

/** Most names differ in length, so that this costs next to nothing for each of them. */
function isNamed(written: string | undefined, name: string): boolean {
  if (written === undefined || written.length !== name.length) return false
  return written === name || written.toLowerCase() === name
}

/** All headers, with an array wherever one came more than once. */
export function nodeHeaders({ headers, rawHeaders }: NodeHeaders): AuthRequest['headers'] {
  if (rawHeaders === undefined) return headers
  // Not by comparing lengths: middleware may have added to `headers` what makes up for what Node left out.
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

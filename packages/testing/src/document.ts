import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Header fields to send. A list is sent as several lines; `undefined` means: do not send this one. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** Header fields that are really sent, names in lower case. */
export type SentHeaders = Readonly<Record<string, string | readonly string[]>>

/** A document as it stands at this moment: the representation and what is said about it. */
export interface ServedDocument {
  /** The bytes of the body. */
  readonly body: Buffer
  /** The header fields, without framing. */
  readonly headers: SentHeaders
}

/** Lays header fields over others; names are compared without case, `undefined` takes one away. */
export function mergeHeaders(base: AnswerHeaders, ...layers: readonly AnswerHeaders[]): SentHeaders {
  const merged = new Map<string, string | readonly string[]>()
  for (const layer of [base, ...layers]) {
    for (const [name, value] of Object.entries(layer)) {
      if (value === undefined) merged.delete(name.toLowerCase())
      else merged.set(name.toLowerCase(), value)
    }
  }
  return Object.fromEntries(merged)
}

/** A strong validator: other bytes, other tag (RFC 9110 §8.8.3). */
export function strongEtag(body: Uint8Array): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
}

/** Whether an `Accept` header allows a media type (RFC 9110 §12.5.1); parameters, weights included, are ignored. */
export function isAcceptable(accept: string | undefined, mediaType: string): boolean {
  const ranges = (accept ?? '*/*').split(',').map((range) => range.split(';', 1)[0]?.trim().toLowerCase())
  const wanted = mediaType.toLowerCase()
  return [wanted, `${wanted.split('/', 1)[0]}/*`, '*/*'].some((range) => ranges.includes(range))
}

/** Whether a request says that it already holds this document (RFC 9110 §13.2.2). */
export function isNotModified(request: IncomingHttpHeaders, document: SentHeaders): boolean {
  const held = request['if-none-match']
  if (held !== undefined) return matchesEtag(held, document.etag)
  const since = Date.parse(request['if-modified-since'] ?? '')
  return Date.parse(String(document['last-modified'])) <= since
}

/** `If-None-Match` compares weakly (RFC 9110 §13.1.2). */
function matchesEtag(held: string, etag: string | readonly string[] | undefined): boolean {
  if (typeof etag !== 'string') return false
  if (held.trim() === '*') return true
  const opaque = etag.replace(/^W\//, '')
  return Array.from(held.matchAll(/"[^"]*"/g), ([tag]) => tag).includes(opaque)
}

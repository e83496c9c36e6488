import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib'
import { ContentCodingNotSupportedError, ResponseTooLargeError } from '../base/errors/upstream-errors.ts'

/** The content codings that are asked for. `deflate` is not: servers disagree on what it means. */
export const ACCEPTED_CODINGS = 'gzip, br'

/** Undoes one content coding; rejects when more than `maxBytes` come out. */
type Decoder = (body: Buffer, maxBytes: number) => Promise<Buffer>

const decompress = {
  gzip: promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip),
  zlib: promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate),
  rawDeflate: promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw),
  brotli: promisify<Buffer, { maxOutputLength: number }, Buffer>(brotliDecompress),
}

const decodeGzip: Decoder = (body, maxOutputLength) => decompress.gzip(body, { maxOutputLength })

const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', decodeGzip],
  ['x-gzip', decodeGzip],
  ['br', (body, maxOutputLength) => decompress.brotli(body, { maxOutputLength })],
  // RFC 9110 §8.4.1.2 means the zlib format; some servers send the deflate stream without its wrapper.
  [
    'deflate',
    (body, maxOutputLength) =>
      isZlib(body) ? decompress.zlib(body, { maxOutputLength }) : decompress.rawDeflate(body, { maxOutputLength }),
  ],
])

/** Servers apply one coding, seldom two; a longer list is an attempt to cause work. */
const MAX_CODINGS = 4

/** The codings of a `Content-Encoding` header, in the order in which they are undone (RFC 9110 §8.4); none for identity. */
export function contentCodings(header: string | undefined): readonly string[] {
  return (header ?? '')
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity')
    .toReversed()
}

/**
 * Undoes content codings. Servers also list what was not applied (`gzip, gzip`) and what is not a coding (`utf-8`,
 * `aws-chunked`): these are skipped as long as the body starts like JSON in the end.
 *
 * @param maxBytes bytes of each decoded form
 * @throws ContentCodingNotSupportedError where an unknown coding is left
 * @throws ResponseTooLargeError where more than `maxBytes` come out; decoding stops there
 */
export async function decodeBody(body: Buffer, codings: readonly string[], maxBytes: number): Promise<Buffer> {
  if (codings.length > MAX_CODINGS && !startsAsJson(body)) throw new ContentCodingNotSupportedError()
  let decoded = body
  let isUnknown = false
  for (const coding of codings) {
    if (startsAsJson(decoded)) return decoded
    const decode = decoders.get(coding)
    if (decode === undefined) isUnknown = true
    else decoded = await decode(decoded, maxBytes).catch(tooLargeOr)
  }
  if (isUnknown && !startsAsJson(decoded)) throw new ContentCodingNotSupportedError()
  return decoded
}

function tooLargeOr(error: unknown): never {
  const isTooLarge = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
  throw isTooLarge ? new ResponseTooLargeError() : error
}

/** A zlib header: method 8 (deflate), and a check value that makes it a multiple of 31 (RFC 1950 §2.2). */
function isZlib(body: Buffer): boolean {
  const [first = 0, second = 0] = body
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0
}

/** True for what starts like a JSON object. Compressed data does not: its first bytes are no such text. */
function startsAsJson(body: Buffer): boolean {
  return /^\ufeff?\s*\{\s*["}]/.test(body.toString('utf8', 0, 64))
}

/** The text without a leading byte order mark, which JSON does not allow and readers may ignore (RFC 8259 §8.1). */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** The body of a response as it arrives. Leaving the iteration early must close its connection. */
export type IncomingBody = AsyncIterable<Uint8Array>

/** Bytes of an unwanted body that are read so that its connection can be used again; a longer one is closed. */
const MAX_DISCARDED_BYTES = 16_384

/**
 * Reads a body as UTF-8 and undoes its content codings (RFC 9110 §8.4). The limit is enforced while the body arrives and
 * while it is decoded: a small body that decodes to a large one is given up as soon as it does.
 *
 * @throws ResponseTooLargeError, ContentCodingNotSupportedError, or what the connection or the decoder throws
 */
export async function readBody(
  body: IncomingBody,
  contentEncoding: string | undefined,
  maxBytes: number,
): Promise<string> {
  const codings = contentCodings(contentEncoding)
  // What cannot be compressed becomes a little longer by it, less than one percent.
  const maxReceived = codings.length === 0 ? maxBytes : maxBytes + Math.ceil(maxBytes / 100) + 1_024
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxReceived) throw new ResponseTooLargeError()
    chunks.push(chunk)
  }
  const decoded = await decodeBody(Buffer.concat(chunks), codings, maxBytes)
  if (decoded.length > maxBytes) throw new ResponseTooLargeError()
  return withoutByteOrderMark(decoded.toString('utf8'))
}

/** Reads and drops a body, so that its connection can be used again. Where that fails, the status still counts. */
export async function discardBody(body: IncomingBody): Promise<void> {
  let size = 0
  try {
    for await (const chunk of body) {
      size += chunk.length
      if (size > MAX_DISCARDED_BYTES) break
    }
  } catch {
    // The connection is gone, and nothing of this body was needed.
  }
}

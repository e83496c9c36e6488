import { ResponseTooLargeError } from '../base/errors/upstream-errors.ts'
import { contentCodings, decodeBody, withoutByteOrderMark } from './content-coding.ts'

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

import { pipeline, type Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { ResponseTooLargeError, UpstreamUnreachableError } from '../base/errors/upstream-errors.ts'
import type { ResponseHeaders } from './freshness.ts'

/** The content codings that {@link readBody} undoes, for `Accept-Encoding`. */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, br'

/**
 * Reads a body as UTF-8, undoing its content coding (RFC 9110 §8.4). The limit holds for what comes out, while
 * it comes out: a small body that unfolds to a large one is given up as soon as it does.
 */
export async function readBody(body: Readable, headers: ResponseHeaders, maxBytes: number): Promise<string> {
  const coding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  const decoder = decoderFor(coding)
  if (decoder === 'unknown') {
    // A body that nobody reads would hold its connection for as long as the server likes. Its end is an error to undici.
    body.on('error', () => undefined).destroy()
    throw new UpstreamUnreachableError()
  }
  const decoded = decoder === 'none' ? body : pipeline(body, decoder, () => undefined)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of decoded as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) {
      body.destroy()
      throw new ResponseTooLargeError()
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function decoderFor(coding: string): Transform | 'none' | 'unknown' {
  switch (coding) {
    case 'identity':
    case '':
      return 'none'
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    default:
      return 'unknown'
  }
}

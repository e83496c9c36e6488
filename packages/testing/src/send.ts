import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Answer, OversizedBodyAnswer, SlowBodyAnswer } from './answers.ts'
import { isNotModified, mergeHeaders, type SentHeaders, type ServedDocument, strongEtag } from './document.ts'

/** One request that waits for its answer. */
export interface Exchange {
  /** The request. */
  readonly request: IncomingMessage
  /** Where the answer goes. */
  readonly response: ServerResponse
  /** What is to be answered normally. */
  readonly document: ServedDocument
  /** Aborted when the connection ends, so that no timer outlives it. */
  readonly signal: AbortSignal
}

const webPage = Buffer.from('<!doctype html><title>Sign in to the network</title><p>This is no key set.</p>')
const padding = Buffer.alloc(65_536, ' ')

/** Carries out an answer. Resolves when nothing more will be sent. */
export async function send(answer: Answer, exchange: Exchange): Promise<void> {
  if (answer.kind === 'hang') return
  const { request, response, signal } = exchange
  if (answer.delay !== undefined && answer.delay > 0) await wait(answer.delay, undefined, { signal })
  if (answer.kind === 'reset') return void request.socket.resetAndDestroy()
  if (answer.kind === 'close') return void request.socket.destroy()

  const document = {
    body: exchange.document.body,
    headers: mergeHeaders(exchange.document.headers, answer.headers ?? {}),
  }
  const other = (headers: Record<string, string>): SentHeaders =>
    mergeHeaders({ date: exchange.document.headers.date, ...headers }, answer.headers ?? {})

  switch (answer.kind) {
    case 'normal':
      return sendDocument(exchange, document)
    case 'reply':
      return sendWhole(response, answer.status ?? 200, other({}), Buffer.from(answer.body ?? ''))
    case 'redirect':
      return sendWhole(response, answer.status ?? 302, other({ location: answer.location }), Buffer.alloc(0))
    case 'garbage':
      return sendWhole(response, 200, other({ 'content-type': 'text/html; charset=utf-8' }), webPage)
    case 'hang-after-headers':
      writeHead(response, 200, document.headers, document.body.length)
      return response.flushHeaders()
    case 'stalled-body':
      writeHead(response, 200, document.headers, document.body.length)
      response.flushHeaders()
      response.write(firstBytes(document.body, answer.bytes))
      return
    case 'slow-body':
      return sendSlowly(exchange, document, answer)
    case 'truncated-body':
      writeHead(response, 200, document.headers, document.body.length)
      response.flushHeaders()
      response.write(firstBytes(document.body, answer.bytes), () => request.socket.destroySoon())
      return
    case 'oversized-body':
      return sendOversized(exchange, document, answer)
    case 'gzip':
      return sendDocument(exchange, compressed(document))
    case 'truncated-gzip': {
      const { body, headers } = compressed(document)
      return sendWhole(response, 200, mergeHeaders(headers, { etag: undefined }), firstBytes(body, answer.bytes))
    }
  }
}

/** Sends the document, or 304 without the fields that describe a body (RFC 9110 §15.4.5). */
function sendDocument({ request, response }: Exchange, { body, headers }: ServedDocument): void {
  if (isNotModified(request.headers, headers)) {
    writeHead(response, 304, mergeHeaders(headers, { 'content-type': undefined, 'content-encoding': undefined }))
    response.end()
  } else {
    sendWhole(response, 200, headers, body)
  }
}

function sendWhole(response: ServerResponse, status: number, headers: SentHeaders, body: Uint8Array): void {
  // RFC 9110 §8.6: no Content-Length in a 204.
  writeHead(response, status, headers, status === 204 || status === 304 ? undefined : body.length)
  response.end(body)
}

async function sendSlowly(
  { response, signal }: Exchange,
  document: ServedDocument,
  answer: SlowBodyAnswer,
): Promise<void> {
  const { interval = 10, bytes = 1 } = answer
  writeHead(response, 200, document.headers, document.body.length)
  response.flushHeaders()
  for (let sent = 0; sent < document.body.length; sent += bytes) {
    if (sent > 0) await wait(interval, undefined, { signal })
    response.write(document.body.subarray(sent, sent + bytes))
  }
  response.end()
}

async function sendOversized(
  { response, signal }: Exchange,
  document: ServedDocument,
  { bytes, framing = 'content-length' }: OversizedBodyAnswer,
): Promise<void> {
  const size = Math.max(bytes, document.body.length)
  writeHead(response, 200, document.headers, framing === 'content-length' ? size : undefined)
  response.write(document.body)
  for (let left = size - document.body.length; left > 0 && !signal.aborted; left -= padding.length) {
    const room = response.write(padding.subarray(0, Math.min(left, padding.length)))
    if (!room) await drained(response, signal)
  }
  response.end()
}

/** Resolves when the peer has read enough, or is gone. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    response.once('drain', done)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}

/** The gzip form is another representation and so has another strong validator (RFC 9110 §8.8.3.3). */
function compressed({ body, headers }: ServedDocument): ServedDocument {
  const zipped = gzipSync(body)
  const etag = headers.etag === undefined ? undefined : strongEtag(zipped)
  return { body: zipped, headers: mergeHeaders({ 'content-encoding': 'gzip' }, headers, { etag }) }
}

function firstBytes(body: Buffer, bytes: number = Math.floor(body.length / 2)): Buffer {
  return body.subarray(0, bytes)
}

function writeHead(response: ServerResponse, status: number, headers: SentHeaders, length?: number): void {
  response.sendDate = false
  response.statusCode = status
  if (length !== undefined) response.setHeader('content-length', length)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
}

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it, onTestFinished } from 'vitest'
import { failure, get } from './transport-scene.ts'

const maxResponseBytes = 2_000
const text = JSON.stringify({ keys: [], note: 'ä'.repeat(100) })

describe('the body of a response', () => {
  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
    ['gzip, gzip', gzipSync(gzipSync(text))],
    ['gzip, gzip', gzipSync(text)],
    ['gzip', Buffer.from(text)],
    ['br', Buffer.from(text)],
    ['aws-chunked', Buffer.from(text)],
    ['aws-chunked, gzip', gzipSync(text)],
    ['gzip, aws-chunked', gzipSync(text)],
    ['utf-8', Buffer.from(text)],
    ['none', Buffer.from(text)],
    ['identity', Buffer.from(text)],
    ['', Buffer.from(text)],
    [',', Buffer.from(text)],
  ])('is read with Content-Encoding %j', async (coding, body) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', headers: { 'content-encoding': coding }, body })
    expect((await get(issuer.jwksUri)).body).toBe(text)
  })

  it.each([
    ['zstd', 'x'],
    ['compress', 'x'],
    ['utf-8', '<!doctype html>'],
    ['gzip, gzip, gzip, gzip, gzip', 'x'],
  ])('is refused with Content-Encoding %s where it does not read as JSON', async (coding, body) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', headers: { 'content-encoding': coding }, body })
    const fetched = get(issuer.jwksUri)
    await expect(fetched).rejects.toMatchObject({
      name: 'ContentCodingNotSupportedError',
      code: 'ERR_CONTENT_CODING_NOT_SUPPORTED',
      document: 'key set',
      message: "The provider's response has a content coding that is not supported (key set)",
    })
  })

  it('is asked for without deflate, on whose meaning servers disagree', async () => {
    const issuer = await startIssuer()
    await get(issuer.jwksUri)
    expect(issuer.requests[0]?.headers['accept-encoding']).toBe('gzip, br')
  })

  it.each([
    ['plain', Buffer.from(`\ufeff${text}`), undefined],
    ['compressed', gzipSync(`\ufeff${text}`), 'gzip'],
    ['labelled as compressed', Buffer.from(`\ufeff${text}`), 'gzip'],
  ])('is read without its byte order mark: %s', async (_, body, coding) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', headers: { 'content-encoding': coding }, body })
    expect((await get(issuer.jwksUri)).body).toBe(text)
  })

  it.each([200, 404])('closes its connection when it is too long and does not end, with status %i', async (status) => {
    const server = createServer((_, response) => {
      response.writeHead(status).write('x'.repeat(20_000))
    }).listen(0, '127.0.0.1')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const connected = once(server, 'connection') as Promise<[Socket]>
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const outcome = await failure(get(`http://127.0.0.1:${port}/`, { maxResponseBytes }))
    expect(outcome).toBe(status === 200 ? 'ResponseTooLargeError' : 'none')
    const [socket] = await connected
    const closed = socket.destroyed ? 'closed' : once(socket, 'close').then(() => 'closed')
    expect(await Promise.race([closed, setTimeout(2_000, 'open')])).toBe('closed')
  })

  it.each([
    ['gzip that ends early', { kind: 'truncated-gzip' }],
    ['gzip that is none', { kind: 'reply', headers: { 'content-encoding': 'gzip' }, body: 'plain' }],
    ['deflate that is none', { kind: 'reply', headers: { 'content-encoding': 'deflate' }, body: 'plain' }],
    ['less than its Content-Length', { kind: 'truncated-body' }],
  ] as const)('is a failure where it is %s', async (_, answer) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', answer)
    expect(await failure(get(issuer.jwksUri))).toBe('UpstreamUnreachableError')
  })

  it.each([
    ['maxResponseBytes', 'content-length', 'none', maxResponseBytes],
    ['maxResponseBytes', 'chunked', 'none', maxResponseBytes],
    ['one byte more', 'content-length', 'ResponseTooLargeError', maxResponseBytes + 1],
    ['one byte more', 'chunked', 'ResponseTooLargeError', maxResponseBytes + 1],
    ['a hundred megabytes', 'chunked', 'ResponseTooLargeError', 100_000_000],
  ] as const)('of %s with %s ends with %s', async (_, framing, outcome, bytes) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'oversized-body', bytes, framing })
    expect(await failure(get(issuer.jwksUri, { maxResponseBytes }))).toBe(outcome)
  })

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ] as const)('that %s expands to more than maxResponseBytes is given up', async (coding, compress) => {
    const issuer = await startIssuer()
    const body = compress(Buffer.alloc(20_000_000, ' '))
    expect(body.length).toBeLessThan(50_000)
    issuer.answerOnce('jwks', { kind: 'reply', headers: { 'content-encoding': coding }, body })
    expect(await failure(get(issuer.jwksUri, { maxResponseBytes: 100_000 }))).toBe('ResponseTooLargeError')
  })

  it('is empty for a status other than 200', async () => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', status: 404, body: text })
    expect(await get(issuer.jwksUri)).toMatchObject({ status: 404, body: '' })
  })
})

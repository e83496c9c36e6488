import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startIssuer } from '../start.ts'
import { failure, get } from './transport-scene.ts'

const maxResponseBytes = 2_000
const text = JSON.stringify({ keys: [], note: 'ä'.repeat(100) })

describe('the body of an answer', () => {
  it.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['identity', Buffer.from(text)],
  ])('is read in the coding %s', async (coding, body) => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', headers: { 'content-encoding': coding }, body })
    expect((await get(issuer.jwksUri)).body).toBe(text)
  })

  it('is not read in a coding that nobody asked for', async () => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', headers: { 'content-encoding': 'zstd' }, body: 'x' })
    expect(await failure(get(issuer.jwksUri))).toBe('UpstreamUnreachableError')
  })

  it('holds no connection where it is not read', async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-encoding': 'zstd' }).write('x')
    }).listen(0, '127.0.0.1')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const connected = once(server, 'connection') as Promise<[Socket]>
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    expect(await failure(get(`http://127.0.0.1:${port}/`))).toBe('UpstreamUnreachableError')
    const [socket] = await connected
    const closed = socket.destroyed ? 'closed' : once(socket, 'close').then(() => 'closed')
    expect(await Promise.race([closed, setTimeout(2_000, 'open')])).toBe('closed')
  })

  it.each([
    ['gzip that ends early', { kind: 'truncated-gzip' }],
    ['gzip that is none', { kind: 'reply', headers: { 'content-encoding': 'gzip' }, body: text }],
    ['less than its Content-Length', { kind: 'truncated-body' }],
  ] as const)('is not taken for whole where it is %s', async (_, answer) => {
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
  ] as const)('that %s unfolds to more than maxResponseBytes is given up', async (coding, compress) => {
    const issuer = await startIssuer()
    const body = compress(Buffer.alloc(20_000_000, ' '))
    expect(body.length).toBeLessThan(50_000)
    issuer.answerOnce('jwks', { kind: 'reply', headers: { 'content-encoding': coding }, body })
    expect(await failure(get(issuer.jwksUri, { maxResponseBytes: 100_000 }))).toBe('ResponseTooLargeError')
  })

  it('is not kept of an answer other than 200', async () => {
    const issuer = await startIssuer()
    issuer.answerOnce('jwks', { kind: 'reply', status: 404, body: text })
    expect(await get(issuer.jwksUri)).toMatchObject({ status: 404, body: '' })
  })
})

import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, createTestIssuer, type TestIssuer } from '../src/index.ts'
import { get, watch } from './http-client.ts'

let issuer: TestIssuer
let document: string
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256' })
  document = JSON.stringify(issuer.jwks)
})
afterEach(() => {
  issuer.answerNormally()
  issuer.clearRequests()
})
afterAll(() => issuer.close())

/** Gives one answer to one request. */
function answered(answer: Answer) {
  issuer.answerOnce('jwks', answer)
  return get(issuer.jwksUri)
}

/** Long enough for anything that would still come to come. */
const aWhile = 150

describe('answers that end', () => {
  it('normal: the document, with further header fields', async () => {
    const { status, headers, body } = await answered({ kind: 'normal', headers: { Age: '5', ETag: undefined } })
    expect([status, body.toString(), headers.age]).toEqual([200, document, '5'])
    expect(headers).not.toHaveProperty('etag')
  })

  it('reply: any status, header and body', async () => {
    const answer = await answered({ kind: 'reply', status: 503, headers: { 'Retry-After': '7' }, body: 'later' })
    expect([answer.status, answer.headers['retry-after'], answer.body.toString()]).toEqual([503, '7', 'later'])
    expect(answer.headers).not.toHaveProperty('cache-control')
    expect((await answered({ kind: 'reply', body: new Uint8Array([1, 2]) })).body).toEqual(Buffer.from([1, 2]))
  })

  it('reply: status 200 and no body when nothing is said', async () => {
    const { status, body, headers } = await answered({ kind: 'reply' })
    expect([status, body.length, headers['content-length']]).toEqual([200, 0, '0'])
    expect((await answered({ kind: 'reply', status: 204 })).headers).not.toHaveProperty('content-length')
  })

  it('redirect: somewhere else', async () => {
    const answer = await answered({ kind: 'redirect', location: issuer.jwksUri })
    expect([answer.status, answer.headers.location]).toEqual([302, issuer.jwksUri])
    expect((await answered({ kind: 'redirect', location: '/x', status: 308 })).status).toBe(308)
    issuer.answerOnce('jwks', { kind: 'redirect', location: '/jwks' })
    expect(await (await fetch(issuer.jwksUri)).text()).toBe(document)
  })

  it('garbage: a web page', async () => {
    const { status, headers, body } = await answered({ kind: 'garbage' })
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(() => JSON.parse(body.toString())).toThrow(SyntaxError)
  })

  it('slow-body: the document, a little at a time', async () => {
    const begin = performance.now()
    const { body, complete } = await answered({
      kind: 'slow-body',
      interval: 20,
      bytes: Math.ceil(document.length / 5),
    })
    expect(performance.now() - begin).toBeGreaterThan(70)
    expect([body.toString(), complete]).toEqual([document, true])
  })

  it('slow-body: one byte every ten milliseconds when nothing is said', async () => {
    issuer.answerOnce('jwks', { kind: 'slow-body' })
    const { received } = await watch(issuer.jwksUri, aWhile)
    expect(received).toBeGreaterThan(0)
    expect(received).toBeLessThanOrEqual(aWhile / 10 + 1)
  })

  it('truncated-body: less than Content-Length promised', async () => {
    const { status, headers, body, complete } = await answered({ kind: 'truncated-body' })
    expect([status, headers['content-length'], complete]).toEqual([200, String(document.length), false])
    expect(body.toString()).toBe(document.slice(0, Math.floor(document.length / 2)))
    const short = await answered({ kind: 'truncated-body', bytes: 3 })
    expect([short.body.toString(), short.complete]).toEqual([document.slice(0, 3), false])
    expect((await answered({ kind: 'truncated-body', bytes: 0 })).complete).toBe(false)
  })

  it('oversized-body: valid still, as large as asked for, announced', async () => {
    const { headers, body, complete } = await answered({ kind: 'oversized-body', bytes: 3_000_000 })
    expect([body.length, headers['content-length'], complete]).toEqual([3_000_000, '3000000', true])
    expect(JSON.parse(body.toString())).toEqual(issuer.jwks)
  })

  it('oversized-body: without announcing its size', async () => {
    const { headers, body } = await answered({ kind: 'oversized-body', bytes: 200_000, framing: 'chunked' })
    expect(body).toHaveLength(200_000)
    expect(headers['transfer-encoding']).toBe('chunked')
    expect(headers).not.toHaveProperty('content-length')
  })

  it('oversized-body: never less than the document', async () => {
    expect((await answered({ kind: 'oversized-body', bytes: 1 })).body.toString()).toBe(document)
  })

  it('gzip: the document compressed, under a validator of its own', async () => {
    const plain = await get(issuer.jwksUri)
    const { headers, body } = await answered({ kind: 'gzip' })
    expect(headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(body).toString()).toBe(document)
    expect(headers.etag).toMatch(/^".+"$/)
    expect(headers.etag).not.toBe(plain.headers.etag)
    issuer.answerOnce('jwks', { kind: 'gzip' })
    expect((await get(issuer.jwksUri, { 'if-none-match': headers.etag })).status).toBe(304)
  })

  it('truncated-gzip: well framed, but the stream ends early', async () => {
    const { headers, body, complete } = await answered({ kind: 'truncated-gzip' })
    expect([headers['content-encoding'], complete]).toEqual(['gzip', true])
    expect(body[0]).toBe(0x1f)
    expect(headers).not.toHaveProperty('etag')
    expect(() => gunzipSync(body)).toThrow('unexpected end of file')
    expect((await answered({ kind: 'truncated-gzip', bytes: 4 })).body).toHaveLength(4)
  })

  it('reset: the connection is reset', async () => {
    await expect(answered({ kind: 'reset' })).rejects.toMatchObject({ code: 'ECONNRESET', message: 'read ECONNRESET' })
  })

  it('close: the connection ends in good order', async () => {
    await expect(answered({ kind: 'close' })).rejects.toMatchObject({ message: 'socket hang up' })
  })
})

describe('answers that do not end', () => {
  it('hang: nothing ever comes', async () => {
    issuer.answerOnce('jwks', { kind: 'hang' })
    expect(await watch(issuer.jwksUri, aWhile)).toEqual({ received: 0 })
  })

  it('hang-after-headers: the header section and then nothing', async () => {
    issuer.answerOnce('jwks', { kind: 'hang-after-headers' })
    expect(await watch(issuer.jwksUri, aWhile)).toEqual({ status: 200, received: 0 })
  })

  it('stalled-body: the first bytes and then nothing', async () => {
    issuer.answerOnce('jwks', { kind: 'stalled-body' }, { kind: 'stalled-body', bytes: 3 })
    const half = Math.floor(document.length / 2)
    expect(await watch(issuer.jwksUri, aWhile)).toEqual({ status: 200, received: half })
    expect(await watch(issuer.jwksUri, aWhile)).toEqual({ status: 200, received: 3 })
  })
})

it.each([{ kind: 'normal' }, { kind: 'reply' }, { kind: 'gzip' }, { kind: 'garbage' }] as const)(
  'waits before an answer %j when it has a delay',
  async (answer) => {
    const begin = performance.now()
    await answered({ ...answer, delay: 60 })
    expect(performance.now() - begin).toBeGreaterThan(55)
  },
)

it('waits before a reset when it has a delay', async () => {
  issuer.answerOnce('jwks', { kind: 'reset', delay: aWhile * 10 })
  expect(await watch(issuer.jwksUri, aWhile)).toEqual({ received: 0 })
})

it('survives clients that leave in the middle of any answer', async () => {
  const answers: Answer[] = [
    { kind: 'normal', delay: 10_000 },
    { kind: 'slow-body' },
    { kind: 'oversized-body', bytes: 1_000_000_000_000 },
    { kind: 'hang' },
    { kind: 'stalled-body' },
  ]
  issuer.answerOnce('jwks', ...answers)
  for (const _ of answers) await watch(issuer.jwksUri, 20)
  expect((await get(issuer.jwksUri)).body.toString()).toBe(document)
})

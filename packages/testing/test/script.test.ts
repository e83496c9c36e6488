import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, createTestIssuer, type TestIssuer } from '../src/index.ts'
import { get } from './http-client.ts'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256' })
})
afterEach(() => {
  issuer.answerNormally()
  issuer.clearRequests()
})
afterAll(() => issuer.close())

const status = async (url = issuer.jwksUri) => (await get(url)).status
const reply = (code: number): Answer => ({ kind: 'reply', status: code })

describe('the script', () => {
  it('gives one-off answers in order, then the standing one until told otherwise', async () => {
    issuer.answerAlways('jwks', reply(500))
    issuer.answerOnce('jwks', reply(501), reply(502))
    issuer.answerOnce('jwks', reply(503))
    expect([await status(), await status(), await status()]).toEqual([501, 502, 503])
    expect([await status(), await status()]).toEqual([500, 500])
    issuer.answerAlways('jwks', { kind: 'normal' })
    expect(await status()).toBe(200)
  })

  it('is kept for each endpoint', async () => {
    issuer.answerAlways('openid', reply(500))
    issuer.answerOnce('oauth', reply(404))
    expect(await status()).toBe(200)
    expect(await status(`${issuer.issuer}/.well-known/openid-configuration`)).toBe(500)
    expect(await status(`${issuer.issuer}/.well-known/oauth-authorization-server`)).toBe(404)
  })

  it('is forgotten for one endpoint or for all', async () => {
    const openid = `${issuer.issuer}/.well-known/openid-configuration`
    issuer.answerAlways('jwks', reply(500))
    issuer.answerOnce('jwks', reply(501))
    issuer.answerAlways('openid', reply(500))
    issuer.answerNormally('jwks')
    expect([await status(), await status(openid)]).toEqual([200, 500])
    issuer.answerNormally()
    expect(await status(openid)).toBe(200)
  })

  it('asks a function about the request', async () => {
    issuer.answerAlways('jwks', ({ url }) => (url.endsWith('?old') ? reply(410) : { kind: 'normal' }))
    expect([await status(`${issuer.jwksUri}?old`), await status(`${issuer.jwksUri}?new`)]).toEqual([410, 200])
  })

  it('holds a request until the promise of a function is settled', async () => {
    let release = (_: Answer): void => undefined
    issuer.answerOnce('jwks', () => new Promise((resolve) => (release = resolve)))
    const held = status()
    await issuer.waitForRequests(1)
    expect(await status()).toBe(200)
    release(reply(503))
    expect(await held).toBe(503)
  })

  it('answers 500 with the reason when a function throws or answers nonsense', async () => {
    issuer.answerOnce(
      'jwks',
      () => {
        throw new Error('from the test')
      },
      () => ({ kind: 'nonsense' }) as unknown as Answer,
    )
    const [thrown, nonsense] = [await get(issuer.jwksUri), await get(issuer.jwksUri)]
    expect([thrown.status, thrown.body.toString()]).toEqual([500, 'from the test'])
    expect([nonsense.status, nonsense.body.toString()]).toEqual([
      500,
      "an answer function: unknown kind of answer 'nonsense'",
    ])
  })

  it.each([
    [{ kind: 'slow' }, "unknown kind of answer 'slow'"],
    [{ kind: 'toString' }, "unknown kind of answer 'toString'"],
    [{ kind: 'hang', delay: 5 }, "unknown option 'delay'"],
    [{ kind: 'reply', status: 99 }, "option 'status' must be an integer from 200 to 599"],
    [{ kind: 'reply', body: {} }, "option 'body' must be a string or a Uint8Array"],
    [{ kind: 'reply', headers: { 'a b': 'c' } }, "option 'headers' must be"],
    [{ kind: 'reply', headers: { a: 'b\r\nc' } }, "option 'headers' must be"],
    [{ kind: 'normal', delay: -1 }, "option 'delay' must be"],
    [{ kind: 'slow-body', bytes: 0 }, "option 'bytes' must be an integer from 1"],
    [{ kind: 'redirect' }, "option 'location' is required"],
    [{ kind: 'redirect', location: '/', status: 200 }, "option 'status' must be 301"],
    [{ kind: 'oversized-body' }, "option 'bytes' is required"],
    [{ kind: 'oversized-body', bytes: 1, framing: 'x' }, "option 'framing' must be one of"],
    ['hang', 'an answer must be an object or a function'],
  ])('refuses the answer %j by name', (answer, message) => {
    expect(() => issuer.answerOnce('jwks', answer as Answer)).toThrow(message)
    expect(() => issuer.answerAlways('jwks', answer as Answer)).toThrow(message)
  })

  it('refuses endpoints that do not exist', () => {
    expect(() => issuer.answerOnce('jwk' as 'jwks')).toThrow("must be one of 'jwks', 'openid', 'oauth'")
    expect(() => issuer.answerAlways('jwk' as 'jwks', { kind: 'normal' })).toThrow(TypeError)
    expect(() => issuer.answerNormally('jwk' as 'jwks')).toThrow(TypeError)
    expect(() => issuer.setHeaders('jwk' as 'jwks', {})).toThrow(TypeError)
  })
})

describe('the log of requests', () => {
  it('tells what was asked for, how, and when', async () => {
    await get(`${issuer.jwksUri}?a=b`, { 'cache-control': 'no-cache' })
    await get(`${issuer.issuer}/nowhere`)
    const [first, second] = issuer.requests
    expect(first).toMatchObject({ endpoint: 'jwks', method: 'GET', url: '/jwks?a=b' })
    expect(first?.headers['cache-control']).toBe('no-cache')
    expect(Math.abs(Date.now() - (first?.time ?? 0))).toBeLessThan(5_000)
    expect(second?.endpoint).toBe('other')
  })

  it('counts, for each endpoint or for all, until it is cleared', async () => {
    await get(issuer.jwksUri)
    await get(issuer.jwksUri)
    await get(`${issuer.issuer}/nowhere`)
    const counts = () => [issuer.requestCount(), issuer.requestCount('jwks'), issuer.requestCount('openid')]
    expect(counts()).toEqual([3, 2, 0])
    expect(issuer.requestCount('other')).toBe(1)
    issuer.clearRequests()
    expect(counts()).toEqual([0, 0, 0])
    expect(issuer.requests).toEqual([])
    expect(() => issuer.requestCount('jwk' as 'jwks')).toThrow(TypeError)
  })

  it('lets a test wait for requests, of one endpoint or of any', async () => {
    let arrived = false
    const waiting = issuer.waitForRequests(2, 'jwks').then(() => {
      arrived = true
    })
    await get(issuer.jwksUri)
    await get(`${issuer.issuer}/nowhere`)
    expect(arrived).toBe(false)
    await get(issuer.jwksUri)
    await waiting
    await issuer.waitForRequests(3)
  })

  it('gives up waiting after the timeout, and says what came', async () => {
    await get(issuer.jwksUri)
    await expect(issuer.waitForRequests(2, 'jwks', 20)).rejects.toThrow("waited 20 ms for 2 'jwks' request(s), 1 came")
    await expect(issuer.waitForRequests(-1)).rejects.toThrow(TypeError)
    await expect(issuer.waitForRequests(1, 'jwks', Number.NaN)).rejects.toThrow(TypeError)
    await expect(issuer.waitForRequests(1, 'jwk' as 'jwks')).rejects.toThrow(TypeError)
  })

  it('rejects those who wait when the issuer closes', async () => {
    const other = await createTestIssuer({ algorithm: 'ES256' })
    const waiting = expect(other.waitForRequests(1)).rejects.toThrow('closed')
    await other.close()
    await waiting
  })
})

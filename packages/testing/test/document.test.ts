import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestIssuer, type TestIssuer } from '../src/index.ts'
import { get } from './http-client.ts'
import { startIssuer } from './issuers.ts'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await createTestIssuer({ algorithm: 'ES256' })
})
afterEach(() => {
  issuer.setHeaders('jwks', {})
  issuer.setJwks(undefined)
})
afterAll(() => issuer.close())

const etagNow = async () => (await get(issuer.jwksUri)).headers.etag ?? ''

describe('header fields', () => {
  it('are max-age=600 for a key set, and none about caching for metadata', async () => {
    const { headers } = await get(issuer.jwksUri)
    expect(headers).toMatchObject({ 'cache-control': 'max-age=600', 'content-type': 'application/json' })
    const metadata = await get(`${issuer.issuer}/.well-known/openid-configuration`)
    expect(metadata.headers).not.toHaveProperty('cache-control')
  })

  it('have the Cache-Control of the options, or none', async () => {
    const short = await startIssuer({ cacheControl: 'max-age=15, must-revalidate' })
    expect((await get(short.jwksUri)).headers['cache-control']).toBe('max-age=15, must-revalidate')
    const none = await startIssuer({ cacheControl: undefined })
    expect((await get(none.jwksUri)).headers).not.toHaveProperty('cache-control')
  })

  it.each([
    ['application/json', 406],
    ['text/html, application/json;q=0.9', 406],
    ['application/jwk-set+json, application/json', 200],
    ['application/json, Application/JWK-Set+JSON;q=0.5', 200],
    ['application/*', 200],
    ['*/*', 200],
    [undefined, 200],
  ])('refuse Accept: %s with %i or not, where the key set has one media type', async (accept, status) => {
    const strict = await startIssuer({ keySetType: 'application/jwk-set+json' })
    const headers = accept === undefined ? {} : { accept }
    const response = await get(strict.jwksUri, headers)
    expect(response.status).toBe(status)
    const type = status === 200 ? 'application/jwk-set+json' : response.headers['content-type']
    expect(response.headers['content-type']).toBe(type)
    const metadata = await get(`${strict.issuer}/.well-known/openid-configuration`, { accept: 'application/json' })
    expect(metadata.status).toBe(200)
  })

  it('are replaced, added and left out at run time, names without case, and come back', async () => {
    issuer.setHeaders('jwks', {
      'Cache-Control': undefined,
      DATE: undefined,
      Age: '30',
      Expires: '0',
      ETag: 'W/"weak"',
      Vary: ['a', 'b'],
    })
    const { headers } = await get(issuer.jwksUri)
    expect(headers).toMatchObject({ age: '30', expires: '0', etag: 'W/"weak"', vary: 'a, b' })
    expect(headers).not.toHaveProperty('cache-control')
    expect(headers).not.toHaveProperty('date')
    issuer.setHeaders('jwks', {})
    const usual = await get(issuer.jwksUri)
    expect(usual.headers).toMatchObject({ 'cache-control': 'max-age=600', date: expect.any(String) })
    expect(usual.headers).not.toHaveProperty('age')
  })

  it('can state another date', async () => {
    const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
    issuer.setHeaders('jwks', { date })
    expect((await get(issuer.jwksUri)).headers.date).toBe(date)
  })

  it('are refused when they could not be sent', () => {
    expect(() => issuer.setHeaders('jwks', { 'a b': 'c' })).toThrow(TypeError)
    expect(() => issuer.setHeaders('jwks', { a: 'b\nc' })).toThrow(TypeError)
  })
})

describe('validators', () => {
  it('are strong, stay with the same bytes and change with others', async () => {
    const etag = await etagNow()
    expect(etag).toMatch(/^"[\w-]+"$/)
    expect(await etagNow()).toBe(etag)
    issuer.setJwks({ keys: [] })
    expect(await etagNow()).not.toBe(etag)
  })

  it.each([
    ['the tag', (etag: string) => etag],
    ['a list that holds it', (etag: string) => `"a", ${etag}, "b"`],
    ['the tag made weak', (etag: string) => `W/${etag}`],
    ['a star', () => '*'],
  ])('earn a 304 without a body for If-None-Match with %s', async (_, field) => {
    const { status, headers, body } = await get(issuer.jwksUri, { 'if-none-match': field(await etagNow()) })
    expect([status, body.length]).toEqual([304, 0])
    expect(headers).toMatchObject({ 'cache-control': 'max-age=600', etag: await etagNow(), date: expect.any(String) })
    expect(headers).not.toHaveProperty('content-type')
    expect(headers).not.toHaveProperty('content-length')
  })

  it('earn a 200 once the keys are others, or when there is no tag', async () => {
    const held = { 'if-none-match': await etagNow() }
    issuer.setJwks({ keys: [] })
    expect((await get(issuer.jwksUri, held)).status).toBe(200)
    issuer.setJwks(undefined)
    issuer.setHeaders('jwks', { etag: undefined })
    expect((await get(issuer.jwksUri, held)).status).toBe(200)
    expect((await get(issuer.jwksUri, { 'if-none-match': '*' })).status).toBe(200)
  })

  it('earn a 304 for If-Modified-Since, unless If-None-Match says otherwise', async () => {
    issuer.setHeaders('jwks', { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' })
    const ask = async (since: string, more = {}) =>
      (await get(issuer.jwksUri, { 'if-modified-since': since, ...more })).status
    expect(await ask('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(304)
    expect(await ask('Sun, 06 Nov 1994 08:49:36 GMT')).toBe(200)
    expect(await ask('Sun, 06 Nov 1994 08:49:37 GMT', { 'if-none-match': '"other"' })).toBe(200)
    expect(await ask('nonsense')).toBe(200)
  })

  it('are compared weakly', async () => {
    issuer.setHeaders('jwks', { etag: 'W/"weak"' })
    expect((await get(issuer.jwksUri, { 'if-none-match': '"weak"' })).status).toBe(304)
  })

  it('are on metadata too', async () => {
    const url = `${issuer.issuer}/.well-known/openid-configuration`
    const { headers } = await get(url)
    expect((await get(url, { 'if-none-match': headers.etag })).status).toBe(304)
  })
})

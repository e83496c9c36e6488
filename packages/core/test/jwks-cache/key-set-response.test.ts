import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { describe, expect, it } from 'vitest'
import { freshnessOf, validatorsOf } from '../../src/http/freshness.ts'
import {
  conditionalHeaders,
  type FetchedKeySet,
  isOutdated,
  type JwksResponse,
  readResponse,
  UNCONDITIONAL_HEADERS,
  UnusableKeySet,
} from '../../src/jwks-cache/key-set-response.ts'

const url = 'https://issuer.example/jwks'
const now = Date.UTC(2025, 0, 1)
const { publicKey, privateKey } = generateKeys('ec', { namedCurve: 'P-256' })
const good = { ...publicKey.export({ format: 'jwk' }), kid: 'a' }
const body = JSON.stringify({ keys: [good] })
const modified = 'Tue, 31 Dec 2024 00:00:00 GMT'

function response(given: Partial<JwksResponse>): JwksResponse {
  return { url, status: 200, headers: {}, body, ...given }
}

async function known(
  headers: Record<string, string> = { etag: '"1"', 'cache-control': 'max-age=60' },
): Promise<FetchedKeySet> {
  return await readResponse(response({ headers }), undefined, now, 100)
}

async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return error
  }
  throw new Error('it did not throw')
}

describe('conditionalHeaders', () => {
  it('sends no validator where nothing is cached', () => {
    expect(conditionalHeaders(url, undefined)).toEqual({})
  })

  it('sends both validators of the cached set', async () => {
    expect(conditionalHeaders(url, await known({ etag: '"1"', 'last-modified': modified }))).toEqual({
      'if-none-match': '"1"',
      'if-modified-since': modified,
    })
  })

  it('sends validators only to the URL that they came from', async () => {
    expect(conditionalHeaders('https://issuer.example/other', await known())).toEqual({})
  })
})

describe('UNCONDITIONAL_HEADERS', () => {
  it('bypasses caches and sends no validator', () => {
    expect(UNCONDITIONAL_HEADERS).toEqual({ 'cache-control': 'no-cache' })
  })
})

describe('isOutdated', async () => {
  const [older, newer] = ['Tue, 31 Dec 2024 23:00:00 GMT', 'Tue, 31 Dec 2024 23:30:00 GMT']

  it.each([
    ['made before the cached one', 200, older, await known({ date: newer }), true],
    ['made after the cached one', 200, newer, await known({ date: older }), false],
    ['without a known set', 200, older, undefined, false],
    ['that is a 304', 304, older, await known({ date: newer }), false],
  ])('judges a response %s', (_, status, date, before, outdated) => {
    expect(isOutdated(response({ status, headers: { date } }), before)).toBe(outdated)
  })
})

describe('readResponse', async () => {
  it('reads the keys of a 200', async () => {
    const { keySet, modified, refused } = await known()
    expect(keySet.keys.map(({ kid }) => kid)).toEqual(['a'])
    expect(modified).toBe(true)
    expect(refused.count).toBe(0)
  })

  it('renews the known set on a 304, with the freshness of the 304 and without the old Age', async () => {
    const before = await known({ etag: '"1"', 'cache-control': 'max-age=60', age: '50' })
    const fetched = await readResponse(
      response({ status: 304, headers: { 'cache-control': 'max-age=90' } }),
      before,
      now + 1,
      100,
    )
    expect(fetched.keySet).toBe(before.keySet)
    expect(fetched.modified).toBe(false)
    expect(freshnessOf(fetched.policy).lifetime).toBe(90_000)
    expect(validatorsOf(fetched.policy).etag).toBe('"1"')
  })

  it.each([
    ['nothing is cached', undefined, {}, url],
    ['its ETag differs', await known(), { etag: '"2"' }, url],
    ['it comes from another URL', await known(), {}, 'https://issuer.example/other'],
  ])('refuses a 304 where %s', async (_, before, headers, from) => {
    const call = () => readResponse(response({ status: 304, headers, url: from }), before, now, 100)
    expect(await thrownBy(call)).toMatchObject({ code: 'ERR_UPSTREAM_STATUS', status: 304 })
  })

  it.each([204, 206, 301, 400, 404, 500])('refuses status %d', async (status) => {
    const call = () => readResponse(response({ status }), undefined, now, 100)
    expect(await thrownBy(call)).toMatchObject({ code: 'ERR_UPSTREAM_STATUS', status })
  })

  it.each([
    ['seconds', '120'],
    ['a date', 'Wed, 01 Jan 2025 00:02:00 GMT'],
  ])('keeps a Retry-After given as %s', async (_, value) => {
    const call = () => readResponse(response({ status: 429, headers: { 'retry-after': value } }), undefined, now, 100)
    expect(await thrownBy(call)).toMatchObject({ retryAfter: 120_000 })
  })

  it.each([
    ['a body that is not JSON', '<html>'],
    ['an empty body', ''],
    ['JSON that is not an object', '[]'],
    ['an object without keys', '{}'],
    ['keys that are not a list', '{"keys":{}}'],
    ['an empty set', '{"keys":[]}'],
    ['a set without a usable key', '{"keys":[{"kty":"RSA"},null,5]}'],
  ])('refuses %s', async (_, text) => {
    const error = await thrownBy(() => readResponse(response({ body: text }), undefined, now, 100))
    expect(error).toBeInstanceOf(UnusableKeySet)
    expect(error).toMatchObject({ cause: { code: 'ERR_KEY_SET_MALFORMED' } })
  })

  it('quotes no part of the body in its error', async () => {
    const error = await thrownBy(() => readResponse(response({ body: 'secret: 12345' }), undefined, now, 100))
    expect(JSON.stringify([String(error), (error as Error).cause])).not.toContain('secret')
  })

  it('skips bad keys and lists them', async () => {
    const keys = [{ kty: 'oct', k: 'c2VjcmV0', kid: 's' }, good, { kty: 'EC', crv: 'P-256', kid: 'broken' }]
    const { keySet, refused } = await readResponse(response({ body: JSON.stringify({ keys }) }), undefined, now, 100)
    expect(keySet.keys.map(({ kid }) => kid)).toEqual(['a'])
    expect(refused).toEqual({
      count: 2,
      first: [
        { kid: 's', reason: 'symmetric' },
        { kid: 'broken', reason: 'malformed' },
      ],
    })
  })

  it('lists published private keys also where the response cannot be used', async () => {
    const keys = [{ ...privateKey.export({ format: 'jwk' }), kid: 'a' }]
    const before = await known()
    const error = await thrownBy(() => readResponse(response({ body: JSON.stringify({ keys }) }), before, now, 100))
    expect(error).toMatchObject({ content: { refused: { first: [{ kid: 'a', reason: 'private' }] } } })
  })

  it('reads at most maxKeys keys', async () => {
    const keys = ['a', 'b', 'c'].map((kid) => ({ ...good, kid }))
    const { keySet, refused } = await readResponse(response({ body: JSON.stringify({ keys }) }), undefined, now, 2)
    expect(keySet.keys).toHaveLength(2)
    expect(refused).toEqual({ count: 1, first: [{ kid: undefined, reason: 'too-many' }] })
  })

  it('keeps the objects of unchanged keys, in any order', async () => {
    const before = await known()
    const other = generateKeys('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
    const keys = [{ ...other, kid: 'b' }, good]
    const { keySet } = await readResponse(response({ body: JSON.stringify({ keys }) }), before, now, 100)
    expect(keySet.byKid.get('a')?.[0]).toBe(before.keySet.keys[0])
  })
})

import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { freshnessOf, validatorsOf } from '../../src/http/freshness.ts'
import type { JwksAnswer } from '../../src/jwks-cache/jwks-source.ts'
import {
  type FetchedKeySet,
  readAnswer,
  requestHeaders,
  UnusableKeySet,
} from '../../src/jwks-cache/key-set-response.ts'

const url = 'https://issuer.example/jwks'
const now = Date.UTC(2025, 0, 1)
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const good = { ...publicKey.export({ format: 'jwk' }), kid: 'a' }
const body = JSON.stringify({ keys: [good] })
const modified = 'Tue, 31 Dec 2024 00:00:00 GMT'

function answer(given: Partial<JwksAnswer>): JwksAnswer {
  return { url, status: 200, headers: {}, body, ...given }
}

function held(headers: Record<string, string> = { etag: '"1"', 'cache-control': 'max-age=60' }): FetchedKeySet {
  return readAnswer(answer({ headers }), undefined, now, 100)
}

function thrownBy(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('it did not throw')
}

describe('requestHeaders', () => {
  it('are none where nothing is held', () => {
    expect(requestHeaders(url, undefined, { noCache: false })).toEqual({})
  })

  it('have caches on the way ask the origin where that is wanted', () => {
    expect(requestHeaders(url, undefined, { noCache: true })).toEqual({ 'cache-control': 'no-cache' })
  })

  it('send both validators of what is held', () => {
    expect(requestHeaders(url, held({ etag: '"1"', 'last-modified': modified }), { noCache: true })).toEqual({
      'cache-control': 'no-cache',
      'if-none-match': '"1"',
      'if-modified-since': modified,
    })
  })

  it('send validators nowhere but where they came from', () => {
    expect(requestHeaders('https://issuer.example/other', held(), { noCache: false })).toEqual({})
  })
})

describe('readAnswer', () => {
  it('takes a 200 over', () => {
    const { keySet, modified, refused } = held()
    expect(keySet.keys.map(({ kid }) => kid)).toEqual(['a'])
    expect(modified).toBe(true)
    expect(refused.count).toBe(0)
  })

  it('takes a 304 for the held set, with what it says of freshness and without the old Age', () => {
    const before = held({ etag: '"1"', 'cache-control': 'max-age=60', age: '50' })
    const fetched = readAnswer(
      answer({ status: 304, headers: { 'cache-control': 'max-age=90' } }),
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
    ['nothing is held', undefined, {}, url],
    ['its ETag is another', held(), { etag: '"2"' }, url],
    ['another URL answered', held(), {}, 'https://issuer.example/other'],
  ])('refuses a 304 where %s', (_, before, headers, from) => {
    const call = () => readAnswer(answer({ status: 304, headers, url: from }), before, now, 100)
    expect(thrownBy(call)).toMatchObject({ code: 'ERR_UPSTREAM_STATUS', status: 304 })
  })

  it.each([204, 206, 301, 400, 404, 500])('refuses status %d', (status) => {
    const call = () => readAnswer(answer({ status }), undefined, now, 100)
    expect(thrownBy(call)).toMatchObject({ code: 'ERR_UPSTREAM_STATUS', status })
  })

  it.each([
    ['seconds', '120'],
    ['a date', 'Wed, 01 Jan 2025 00:02:00 GMT'],
  ])('notes a Retry-After in %s', (_, value) => {
    const call = () => readAnswer(answer({ status: 429, headers: { 'retry-after': value } }), undefined, now, 100)
    expect(thrownBy(call)).toMatchObject({ retryAfter: 120_000 })
  })

  it.each([
    ['no JSON', '<html>'],
    ['an empty body', ''],
    ['JSON that is no object', '[]'],
    ['an object without keys', '{}'],
    ['keys that are no list', '{"keys":{}}'],
    ['an empty set', '{"keys":[]}'],
    ['a set without a usable key', '{"keys":[{"kty":"RSA"},null,5]}'],
  ])('refuses %s', (_, text) => {
    const error = thrownBy(() => readAnswer(answer({ body: text }), undefined, now, 100))
    expect(error).toBeInstanceOf(UnusableKeySet)
    expect(error).toMatchObject({ cause: { code: 'ERR_KEY_SET_MALFORMED' } })
  })

  it('quotes nothing of the body in its error', () => {
    const error = thrownBy(() => readAnswer(answer({ body: 'secret: 12345' }), undefined, now, 100))
    expect(JSON.stringify([String(error), (error as Error).cause])).not.toContain('secret')
  })

  it('refuses bad keys alone and says which', () => {
    const keys = [{ kty: 'oct', k: 'c2VjcmV0', kid: 's' }, good, { kty: 'EC', crv: 'P-256', kid: 'broken' }]
    const { keySet, refused } = readAnswer(answer({ body: JSON.stringify({ keys }) }), undefined, now, 100)
    expect(keySet.keys.map(({ kid }) => kid)).toEqual(['a'])
    expect(refused).toEqual({
      count: 2,
      first: [
        { kid: 's', reason: 'symmetric' },
        { kid: 'broken', reason: 'malformed' },
      ],
    })
  })

  it('tells of private halves also where the answer is no good', () => {
    const keys = [{ ...privateKey.export({ format: 'jwk' }), kid: 'a' }]
    const error = thrownBy(() => readAnswer(answer({ body: JSON.stringify({ keys }) }), held(), now, 100))
    expect(error).toMatchObject({ refused: { first: [{ kid: 'a', reason: 'private' }] } })
  })

  it('takes no more than maxKeys', () => {
    const keys = ['a', 'b', 'c'].map((kid) => ({ ...good, kid }))
    const { keySet, refused } = readAnswer(answer({ body: JSON.stringify({ keys }) }), undefined, now, 2)
    expect(keySet.keys).toHaveLength(2)
    expect(refused).toEqual({ count: 1, first: [{ kid: undefined, reason: 'too-many' }] })
  })

  it('keeps the key objects that come back unchanged, in whatever order', () => {
    const before = held()
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
    const keys = [{ ...other, kid: 'b' }, good]
    const { keySet } = readAnswer(answer({ body: JSON.stringify({ keys }) }), before, now, 100)
    expect(keySet.byKid.get('a')?.[0]).toBe(before.keySet.keys[0])
  })
})

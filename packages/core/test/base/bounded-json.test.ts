import { describe, expect, it } from 'vitest'
import { MAX_JSON_VALUES, parseBoundedJson } from '../../src/base/bounded-json.ts'

describe('parsing JSON within a bound on its values', () => {
  it('returns what JSON.parse returns', () => {
    for (const text of ['{"keys":[{"kty":"RSA"},null,1]}', '[]', '"a,b"', '7'])
      expect(parseBoundedJson(text)).toEqual(JSON.parse(text))
  })

  it.each([
    ['elements', (count: number) => `[${Array.from({ length: count }, () => '1').join(',')}]`],
    ['members', (count: number) => `{${Array.from({ length: count }, (_, at) => `"a${at}":1`).join(',')}}`],
    ['nested lists', (count: number) => `${'['.repeat(count)}${']'.repeat(count)}`],
  ])('counts %s exactly', (_kind, make) => {
    expect(() => parseBoundedJson(make(100), 100)).not.toThrow()
    expect(() => parseBoundedJson(make(101), 100)).toThrow(RangeError)
  })

  it('throws a SyntaxError for what is not JSON', () => {
    expect(() => parseBoundedJson('{')).toThrow(SyntaxError)
  })

  it('allows the values of a thousand keys, whatever the length of their texts', () => {
    const key = { kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'a', n: 'n'.repeat(683), e: 'AQAB', x5t: 'a', x5c: ['c'] }
    const keys = Array.from({ length: 1_000 }, () => key)
    expect(parseBoundedJson(JSON.stringify({ keys }))).toEqual({ keys })
    expect(MAX_JSON_VALUES).toBeGreaterThan(20_000)
  })
})

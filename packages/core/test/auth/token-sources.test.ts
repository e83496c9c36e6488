import { describe, expect, it } from 'vitest'
import { findToken } from '../../src/auth/token-sources.ts'
import {
  type AuthRequest,
  JwksAuthError,
  type TokenSource,
  tokenFromCookie,
  tokenFromHeader,
  tokenFromQuery,
} from '../../src/index.ts'

const host = 'api.example.com'

function request(changes: Partial<AuthRequest> = {}): AuthRequest {
  return { method: 'GET', url: '/', ...changes, headers: { host, ...changes.headers } }
}

function found(sources: readonly TokenSource[], changes: Partial<AuthRequest>): string {
  try {
    const { token, isPrivate } = findToken(request(changes), sources, 20)
    return isPrivate ? `${token}, private` : token
  } catch (error) {
    return error instanceof JwksAuthError ? error.code : String(error)
  }
}

describe('the token of a cookie', () => {
  it.each<[string, string | readonly string[], string]>([
    ['alone', 'token=a.b.c', 'a.b.c, private'],
    ['among others', 'x=1; token=a.b.c; y=2', 'a.b.c, private'],
    ['in quotes', 'token="a.b.c"', 'a.b.c, private'],
    ['in one of two headers', ['x=1', 'token=a.b.c'], 'a.b.c, private'],
    ['of a longer name', 'xtoken=a.b.c; token2=d', 'ERR_TOKEN_MISSING'],
    ['empty', 'token=', 'ERR_TOKEN_MISSING'],
    ['twice', 'token=a.b.c; token=d.e.f', 'ERR_AUTHORIZATION_MALFORMED'],
    ['twice, in two headers', ['token=a.b.c', 'token=a.b.c'], 'ERR_AUTHORIZATION_MALFORMED'],
    ['too long', `token=${'a'.repeat(21)}`, 'ERR_TOKEN_TOO_LONG'],
  ])('is read or refused: %s', (_, cookie, expected) => {
    expect(found([tokenFromCookie('token')], { headers: { cookie } })).toBe(expected)
  })

  it.each<[string, Record<string, string>, boolean]>([
    ['nothing says where it comes from', {}, false],
    ['the browser says it is of the same origin', { 'sec-fetch-site': 'same-origin' }, true],
    ['the browser says it is of the same site only', { 'sec-fetch-site': 'same-site' }, false],
    ['the browser says it is from elsewhere', { 'sec-fetch-site': 'cross-site', origin: `https://${host}` }, false],
    ['its origin is the host', { origin: `https://${host}` }, true],
    ['its origin is another host', { origin: 'https://evil.example' }, false],
    ['its origin only begins like the host', { origin: `https://${host}.evil.example` }, false],
    ['its origin is hidden', { origin: 'null' }, false],
  ])('counts on an unsafe method by its origin: %s', (_, headers, counts) => {
    const changes = { method: 'POST', headers: { cookie: 'token=a.b.c', ...headers } }
    expect(found([tokenFromCookie('token')], changes)).toBe(counts ? 'a.b.c, private' : 'ERR_TOKEN_MISSING')
    expect(found([tokenFromCookie('token', { csrf: false })], changes)).toBe('a.b.c, private')
  })
})

describe('the token of a query', () => {
  it.each([
    ['alone', '/?access_token=a.b.c', 'a.b.c, private'],
    ['among others, encoded', '/x?y=1&access_token=a%2Eb.c', 'a.b.c, private'],
    ['absent', '/access_token=a.b.c', 'ERR_TOKEN_MISSING'],
    ['twice', '/?access_token=a&access_token=b', 'ERR_AUTHORIZATION_MALFORMED'],
  ])('is read or refused: %s', (_, url, expected) => {
    expect(found([tokenFromQuery()], { url })).toBe(expected)
  })

  it('has the name that is asked for', () => {
    expect(found([tokenFromQuery('t')], { url: '/?t=a.b.c&access_token=d' })).toBe('a.b.c, private')
  })
})

describe('several sources', () => {
  const sources = [tokenFromHeader(), tokenFromCookie('token')]

  it('give the one token that there is', () => {
    expect(found(sources, { headers: { authorization: 'Bearer a.b.c' } })).toBe('a.b.c')
    expect(found(sources, { headers: { cookie: 'token=d.e.f' } })).toBe('d.e.f, private')
  })

  it('refuse two tokens, also when they are the same', () => {
    const headers = { authorization: 'Bearer a.b.c', cookie: 'token=a.b.c' }
    expect(found(sources, { headers })).toBe('ERR_AUTHORIZATION_MALFORMED')
  })

  it('look nowhere else', () => {
    const changes = { url: '/?access_token=a', headers: { authorization: 'Bearer a.b.c', cookie: 'token=d' } }
    expect(found([tokenFromHeader()], changes)).toBe('a.b.c')
  })
})

describe('a function as a source', () => {
  it('gives the token, or nothing', () => {
    expect(found([() => 'a.b.c'], {})).toBe('a.b.c')
    expect(found([() => undefined], {})).toBe('ERR_TOKEN_MISSING')
  })

  it('is told that a promise is no token', () => {
    const source = (async () => 'a.b.c') as unknown as TokenSource
    expect(found([source], {})).toMatch(/TypeError: getToken must return a string/)
  })
})

describe('a wrong source', () => {
  it.each([
    ['a cookie without a name', () => tokenFromCookie(''), /tokenFromCookie name/],
    ['a cookie with a name that is none', () => tokenFromCookie('a b'), /tokenFromCookie name/],
    ['an unknown option', () => tokenFromCookie('a', { crsf: false } as never), /"crsf"/],
    ['an option of another type', () => tokenFromCookie('a', { csrf: 'no' } as never), /csrf/],
    ['a query without a name', () => tokenFromQuery(''), /tokenFromQuery name/],
  ])('is a TypeError: %s', (_, make, message) => {
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })
})

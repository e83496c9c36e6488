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
    const result = findToken(request(changes), sources, 20)
    if (result === undefined) return 'none'
    if (result instanceof Promise) return 'waiting'
    if (result instanceof JwksAuthError) return result.code
    return result.isPrivate ? `${result.text}, private` : result.text
  } catch (error) {
    return String(error)
  }
}

describe('the token of a cookie', () => {
  it.each<[string, string | readonly string[], string]>([
    ['alone', 'token=a.b.c', 'a.b.c, private'],
    ['among others', 'x=1; token=a.b.c; y=2', 'a.b.c, private'],
    ['in quotes', 'token="a.b.c"', 'a.b.c, private'],
    ['in one of two headers', ['x=1', 'token=a.b.c'], 'a.b.c, private'],
    ['of a longer name', 'xtoken=a.b.c; token2=d', 'none'],
    ['empty', 'token=', 'none'],
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
    expect(found([tokenFromCookie('token')], changes)).toBe(counts ? 'a.b.c, private' : 'ERR_CROSS_SITE_REQUEST')
    expect(found([tokenFromCookie('token', { csrf: false })], changes)).toBe('a.b.c, private')
  })
})

describe('the cookie of an upgrade request', () => {
  const handshake = { cookie: 'token=a.b.c', connection: 'Upgrade', upgrade: 'websocket' }
  it.each<[string, Record<string, string>, boolean]>([
    ['another site', { origin: 'https://evil.example' }, false],
    ['another site, by Fetch Metadata', { 'sec-fetch-site': 'cross-site' }, false],
    ['a client that sends no origin', {}, false],
    ['the same origin', { origin: `https://${host}` }, true],
    ['the same origin, by Fetch Metadata', { 'sec-fetch-site': 'same-origin' }, true],
  ])('counts although the method is GET as on an unsafe method: from %s', (_, headers, counts) => {
    const changes = { headers: { ...handshake, ...headers } }
    expect(found([tokenFromCookie('token')], changes)).toBe(counts ? 'a.b.c, private' : 'ERR_CROSS_SITE_REQUEST')
  })

  it('counts as one whatever the case of the header and the protocol', () => {
    const changes = { headers: { Cookie: 'token=a.b.c', Upgrade: 'h2c', Origin: 'https://evil.example' } }
    expect(found([tokenFromCookie('token')], changes)).toBe('ERR_CROSS_SITE_REQUEST')
  })
})

describe('origins of a cookie', () => {
  const sources = [tokenFromCookie('token', { origins: ['https://app.example.com', 'http://localhost:3000'] })]
  it.each<[string, Record<string, string>, boolean]>([
    ['one of them', { origin: 'https://app.example.com' }, true],
    ['another one of them, cross-site', { origin: 'http://localhost:3000', 'sec-fetch-site': 'cross-site' }, true],
    ['the same origin', { origin: `https://${host}` }, true],
    ['another scheme', { origin: 'http://app.example.com' }, false],
    ['another port', { origin: 'https://app.example.com:8443' }, false],
    ['a longer host', { origin: 'https://app.example.com.evil.example' }, false],
    ['a hidden origin', { origin: 'null' }, false],
    ['no origin, cross-site', { 'sec-fetch-site': 'cross-site' }, false],
  ])('decide for unsafe requests and handshakes: %s', (_, headers, counts) => {
    const expected = counts ? 'a.b.c, private' : 'ERR_CROSS_SITE_REQUEST'
    const cookie = 'token=a.b.c'
    expect(found(sources, { method: 'POST', headers: { cookie, ...headers } })).toBe(expected)
    expect(found(sources, { headers: { cookie, upgrade: 'websocket', ...headers } })).toBe(expected)
  })
})

describe('a cookie that another site may have sent', () => {
  const changes = { method: 'POST', headers: { cookie: 'token=d.e.f', authorization: 'Bearer a.b.c' } }
  it.each([[[tokenFromHeader(), tokenFromCookie('token')]], [[tokenFromCookie('token'), tokenFromHeader()]]])(
    'does not refuse a request with a token elsewhere, which no other site can send',
    (sources) => {
      expect(found(sources, changes)).toBe('a.b.c')
    },
  )
})

describe('the token of a query', () => {
  it.each([
    ['alone', '/?access_token=a.b.c', 'a.b.c, private'],
    ['among others, encoded', '/x?y=1&access_token=a%2Eb.c', 'a.b.c, private'],
    ['absent', '/access_token=a.b.c', 'none'],
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
    expect(found([() => undefined], {})).toBe('none')
  })

  it('may be asynchronous', async () => {
    const sources: TokenSource[] = [async () => 'a.b.c', async () => undefined]
    expect(await findToken(request(), sources, 20)).toMatchObject({ text: 'a.b.c' })
  })

  it.each([[7], [{}], [['a.b.c']], [true]])('must not return %j', (value) => {
    expect(found([() => value as unknown as string], {})).toMatch(/TypeError: getToken must return a string/)
  })

  it('refuses the request with an error of this package, and with no other', async () => {
    const both = (request: AuthRequest, max: number) =>
      tokenFromHeader()(request, max) ?? tokenFromQuery()(request, max)
    expect(found([both], { headers: { authorization: ['Bearer a', 'Bearer b'] } })).toBe('ERR_AUTHORIZATION_MALFORMED')
    const failing: TokenSource = async () => {
      throw new Error('session store')
    }
    await expect(findToken(request(), [failing], 20)).rejects.toThrow('session store')
  })
})

describe('a wrong source', () => {
  it.each([
    ['a cookie without a name', () => tokenFromCookie(''), /tokenFromCookie name/],
    ['a cookie with a name that is none', () => tokenFromCookie('a b'), /tokenFromCookie name/],
    ['an unknown option', () => tokenFromCookie('a', { crsf: false } as never), /"crsf"/],
    ['an option of another type', () => tokenFromCookie('a', { csrf: 'no' } as never), /csrf/],
    ['an origin with a path', () => tokenFromCookie('a', { origins: ['https://a.example/'] }), /origins/],
    ['an origin without a scheme', () => tokenFromCookie('a', { origins: 'a.example' }), /origins/],
    ['any origin', () => tokenFromCookie('a', { origins: '*' }), /origins/],
    [
      'origins without protection',
      () => tokenFromCookie('a', { csrf: false, origins: 'https://a.example' }),
      /origins/,
    ],
    ['a query without a name', () => tokenFromQuery(''), /tokenFromQuery name/],
  ])('is a TypeError: %s', (_, make, message) => {
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })
})

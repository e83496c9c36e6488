import { describe, expect, it } from 'vitest'
import { createHeaderCache, type HeaderCache, type ParsedToken, parseToken } from '../../src/auth/parse-token.ts'
import { JwksAuthError } from '../../src/index.ts'

const secret = 'very-secret-subject'
const header = '{"alg":"ES256","kid":"k"}'
const payload = `{"sub":"${secret}"}`
const signature = Buffer.alloc(64, 7).toString('base64url')

function encode(part: string | Uint8Array): string {
  return Buffer.from(part).toString('base64url')
}

function tokenOf(parts: { header?: string | Uint8Array; payload?: string | Uint8Array; signature?: string }): string {
  return [encode(parts.header ?? header), encode(parts.payload ?? payload), parts.signature ?? signature].join('.')
}

function refusal(token: string): JwksAuthError {
  const parsed = parseToken(token)
  if (parsed instanceof JwksAuthError) return parsed
  throw new Error('this was parsed')
}

function parsedFrom(token: string, headers?: HeaderCache): ParsedToken {
  const parsed = parseToken(token, headers)
  if (parsed instanceof JwksAuthError) throw parsed
  return parsed
}

const good = tokenOf({})
const [headerPart = '', payloadPart = ''] = good.split('.')

describe('a token', () => {
  it('is taken apart', () => {
    const parsed = parsedFrom(good)
    expect(parsed.header).toEqual({ alg: 'ES256', kid: 'k' })
    expect(parsed.payload).toEqual({ sub: secret })
    expect(parsed.signingInput).toBe(`${headerPart}.${payloadPart}`)
    expect(parsed.signature).toEqual(Buffer.alloc(64, 7))
  })

  it.each([
    ['nothing', ''],
    ['one part', headerPart],
    ['two parts', `${headerPart}.${payloadPart}`],
    ['four parts', `${good}.${payloadPart}`],
    ['the five parts of a JWE', `${good}.${payloadPart}.${payloadPart}`],
    ['an empty header', `.${payloadPart}.${signature}`],
    ['an empty payload', `${headerPart}..${signature}`],
    ['an empty signature', `${headerPart}.${payloadPart}.`],
    ['only dots', '..'],
    ['padding in the header', tokenOf({ header: `${header}  ` }).replace('.', '=.')],
    ['padding in the signature', `${good}==`],
    ['plain base64', `${headerPart}.${payloadPart}.${Buffer.alloc(64, 0xff).toString('base64')}`],
    ['a space', good.replace('.', ' .')],
    ['a line break', `${good}\n`],
    ['trailing bits that are not zero in the header', withTrailingBits(headerPart, `.${payloadPart}.${signature}`)],
    ['trailing bits that are not zero in the signature', withTrailingBits(good, '')],
    ['a part of one character', `${headerPart}.${payloadPart}.A`],
    ['a NUL', good.replace('.', '\0.')],
    // Node decodes these by the lower half of their code, as if nothing were wrong.
    ['a wide character in the header', `${widened(headerPart)}.${payloadPart}.${signature}`],
    ['a wide character in the payload', `${headerPart}.${widened(payloadPart)}.${signature}`],
    ['a wide character in the signature', `${headerPart}.${payloadPart}.${widened(signature)}`],
  ])('is not %s', (_, token) => {
    expect(refusal(token).code).toBe('ERR_TOKEN_MALFORMED')
  })

  it.each<[string, string | Uint8Array]>([
    ['null', 'null'],
    ['a list', '[]'],
    ['a string', '"a"'],
    ['a number', '1'],
    ['true', 'true'],
    ['no JSON', '{'],
    ['more than JSON', '{}{}'],
    ['JSON behind a byte order mark', Buffer.from(`\ufeff${payload}`)],
    ['invalid UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])],
    ['overlong UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])],
    [
      'a lone surrogate in UTF-8',
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ],
    ['UTF-16', Buffer.from(header, 'utf16le')],
    ['an object with a member twice', '{"alg":"ES256","a":1,"a":1}'],
    ['an object with a member twice, once escaped', '{"alg":"ES256","\\u0061lg":"none"}'],
    ['an object with a member twice further in', '{"alg":"ES256","a":[{"b":1,"b":2}]}'],
  ])('has neither a header nor a payload that is %s', (_, part) => {
    expect(refusal(tokenOf({ header: part })).code).toBe('ERR_TOKEN_MALFORMED')
    expect(refusal(tokenOf({ payload: part })).code).toBe('ERR_TOKEN_MALFORMED')
  })

  it.each([
    ['no alg', { kid: 'k' }, 'ERR_TOKEN_MALFORMED'],
    ['an alg that is null', { alg: null }, 'ERR_TOKEN_MALFORMED'],
    ['an alg that is a list', { alg: ['ES256'] }, 'ERR_TOKEN_MALFORMED'],
    ['a kid that is a number', { alg: 'ES256', kid: 1 }, 'ERR_TOKEN_MALFORMED'],
    ['a kid that is null', { alg: 'ES256', kid: null }, 'ERR_TOKEN_MALFORMED'],
    ['a kid that is an object', { alg: 'ES256', kid: { a: 1 } }, 'ERR_TOKEN_MALFORMED'],
    ['a typ that is a number', { alg: 'ES256', typ: 1 }, 'ERR_TOKEN_MALFORMED'],
    ['a crit', { alg: 'ES256', crit: ['exp'], exp: 1 }, 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD'],
    ['a crit that is empty', { alg: 'ES256', crit: [] }, 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD'],
    ['b64: false', { alg: 'ES256', crit: ['b64'], b64: false }, 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD'],
    ['b64: false without crit', { alg: 'ES256', b64: false }, 'ERR_CRITICAL_HEADER_NOT_UNDERSTOOD'],
  ])('has no header with %s', (_, members, code) => {
    expect(refusal(tokenOf({ header: JSON.stringify(members) })).code).toBe(code)
  })

  it('is never quoted in the error, nor in its cause', () => {
    for (const part of [`{"sub":"${secret}"`, `{"sub":"${secret}","sub":1}`, `["${secret}"]`]) {
      const error = refusal(tokenOf({ payload: part }))
      expect(`${error.stack} ${String(error.cause)}`).not.toContain(secret)
      expect(error.cause).toBeUndefined()
    }
  })

  it('may nest deeper than the stack is', () => {
    const depth = 100_000
    const deep = `{"alg":"ES256","a":${'['.repeat(depth)}${']'.repeat(depth)}}`
    expect(() => parseToken(tokenOf({ header: deep, payload: deep }))).not.toThrow()
  })

  it('keeps __proto__ a member like any other', () => {
    const { payload: claims } = parsedFrom(tokenOf({ payload: '{"__proto__":{"admin":true}}' }))
    expect(Object.keys(claims)).toEqual(['__proto__'])
    expect(claims['admin']).toBeUndefined()
  })
})

describe('the header cache', () => {
  it('saves parsing the header of a token whose signature was verified', () => {
    const headers = createHeaderCache()
    const first = parsedFrom(good, headers)
    expect(parsedFrom(good, headers).header).not.toBe(first.header)
    headers.set(first)
    expect(parsedFrom(good, headers).header).toBe(first.header)
    expect(parsedFrom(tokenOf({ header: '{"alg":"ES256","kid":"other"}' }), headers).header.kid).toBe('other')
  })
})

/** Begins with the character that has the same lower byte, 256 further. */
function widened(part: string): string {
  return String.fromCodePoint((part.codePointAt(0) ?? 0) + 0x100) + part.slice(1)
}

/** The same bytes, written in a way that base64url does not. */
function withTrailingBits(part: string, rest: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(part.at(-1) ?? '')
  const other = `${part.slice(0, -1)}${alphabet[last + 1] ?? ''}`
  const [was, is] = [part, other].map((text) => Buffer.from(text.split('.').at(-1) ?? '', 'base64url'))
  if (!was?.equals(is ?? Buffer.alloc(0))) throw new Error('this part has no trailing bits')
  return other + rest
}

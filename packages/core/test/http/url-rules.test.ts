import { describe, expect, it } from 'vitest'
import { canonicalDomain, checkUrl, isWithin } from '../../src/http/url-rules.ts'
import { UpstreamUrlNotAllowedError } from '../../src/index.ts'

const strict = { requireHttps: true, allowedDomains: [] }
const confined = { requireHttps: true, allowedDomains: ['example.com', 'xn--mnchen-3ya.example'] }

describe('a URL', () => {
  it.each([
    ['https', 'https://example.com/jwks', strict],
    ['http where that is allowed', 'http://example.com/jwks', { ...strict, requireHttps: false }],
    ['of an allowed domain', 'https://example.com/', confined],
    ['below an allowed domain', 'https://a.b.example.com/', confined],
    ['of an allowed domain in another case', 'https://EXAMPLE.com/', confined],
    ['of an allowed domain with a trailing dot', 'https://example.com./', confined],
    ['of an allowed domain with a port', 'https://example.com:8443/', confined],
    ['of an allowed domain in its own letters', 'https://münchen.example/', confined],
  ])('may be %s', (_, url, rules) => {
    expect(() => checkUrl(new URL(url), rules)).not.toThrow()
  })

  it.each([
    ['http', 'http://example.com/jwks', strict, 'requireHttps'],
    ['a file', 'file:///etc/passwd', { ...strict, requireHttps: false }, 'neither https: nor http:'],
    ['data', 'data:application/json,{}', { ...strict, requireHttps: false }, 'neither https: nor http:'],
    ['one with a user name', 'https://user@example.com/', strict, 'credentials'],
    ['one with a password', 'https://:secret@example.com/', strict, 'credentials'],
    ['of another domain', 'https://example.org/', confined, 'allowedDomains'],
    ['of a domain that ends alike', 'https://evilexample.com/', confined, 'allowedDomains'],
    ['of a domain that begins alike', 'https://example.com.evil.org/', confined, 'allowedDomains'],
    ['of the domain above', 'https://com/', confined, 'allowedDomains'],
  ])('may not be %s', (_, url, rules, reason) => {
    expect(() => checkUrl(new URL(url), rules)).toThrow(UpstreamUrlNotAllowedError)
    expect(() => checkUrl(new URL(url), rules)).toThrow(reason)
  })

  it('is not told in the error', () => {
    expect(() => checkUrl(new URL('https://user:secret@example.com/'), strict)).not.toThrow(/secret|example/)
  })
})

describe('a domain', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['MÜNCHEN.example.', 'xn--mnchen-3ya.example'],
    ['example。com', 'example.com'],
    ['münchen.example', 'xn--mnchen-3ya.example'],
    ['127.1', '127.0.0.1'],
  ])('%s is %s', (domain, canonical) => {
    expect(canonicalDomain(domain)).toBe(canonical)
  })

  it.each([
    'https://example.com',
    'example.com/path',
    'user@example.com',
    'example.com:443',
    '*.example.com',
    '.example.com',
    'a..b',
    '.',
    'a b',
    '',
  ])('cannot be %j', (domain) => {
    expect(canonicalDomain(domain)).toBeUndefined()
  })

  it.each([
    ['example.com', 'example.com', true],
    ['a.example.com', 'example.com', true],
    ['aexample.com', 'example.com', false],
    ['com', 'example.com', false],
  ])('%s is within %s: %s', (host, domain, within) => {
    expect(isWithin(host, domain)).toBe(within)
  })
})

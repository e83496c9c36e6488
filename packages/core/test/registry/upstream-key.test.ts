import { describe, expect, it } from 'vitest'
import { checkRegistration } from '../../src/registry/registration.ts'

const rules = { requireHttps: true, allowedDomains: [], hasDispatcher: false, canGuardConnections: true }
const jwksUri = 'https://issuer.example/jwks'
const issuer = 'https://issuer.example'
const headers = () => ({ authorization: 'secret' })
const ca = () => ''

function upstreamKey(registration: object, network: 'public' | 'any' = 'any'): string {
  const context = { defaults: {}, where: '', share: <Value>(value: Value) => value, existing: () => undefined }
  return checkRegistration({ tenant: 'acme', provider: 'main', ...registration }, { rules, network, ...context })
    .upstreamKey
}

describe('the upstream key', () => {
  it.each<[string, object, object]>([
    ['other names', { jwksUri }, { tenant: 'globex', provider: 'other', jwksUri }],
    ['another issuer of the tokens', { jwksUri, issuer: 'a' }, { jwksUri, issuer: 'b' }],
    ['the same issuer', { issuer }, { issuer, tenant: 'globex' }],
    ['other claim and cache options', { issuer }, { issuer, minTtl: 5_000, staleWhileError: 0, algorithms: ['ES256'] }],
    ['another prefetch', { issuer }, { issuer, prefetch: 'always' }],
    ['an option with its default', { jwksUri }, { jwksUri, maxRedirects: 3, retryPolicy: { maxRetries: 2 } }],
    ['equal headers', { jwksUri, headers: { a: 'b' } }, { jwksUri, headers: { a: 'b' } }],
    ['the same functions', { jwksUri, headers, ca }, { jwksUri, headers, ca }],
  ])('is the same with %s', (_, one, other) => {
    expect(upstreamKey(one)).toBe(upstreamKey(other))
  })

  it.each<[string, object, object]>([
    ['another jwksUri', { jwksUri }, { jwksUri: `${jwksUri}2` }],
    ['another issuer to discover from', { issuer }, { issuer: `${issuer}/b` }],
    ['discovery instead of a URL', { issuer }, { issuer, jwksUri }],
    ['a metadataUri', { issuer }, { issuer, metadataUri: `${issuer}/.well-known/openid-configuration` }],
    ['a network', { jwksUri }, { jwksUri, network: 'any' }],
    ['addresses', { jwksUri }, { jwksUri, allowAddresses: ['127.0.0.1'] }],
    ['pins', { jwksUri }, { jwksUri, pinnedSpki: [`${'A'.repeat(43)}=`] }],
    ['domains', { jwksUri }, { jwksUri, allowedDomains: ['example'] }],
    ['redirects', { jwksUri }, { jwksUri, maxRedirects: 0 }],
    ['a bound on the body', { jwksUri }, { jwksUri, maxResponseBytes: 5_000 }],
    ['a bound on the keys', { jwksUri }, { jwksUri, maxKeys: 5 }],
    ['retries', { jwksUri }, { jwksUri, retryPolicy: { maxRetries: 0 } }],
    ['headers', { jwksUri }, { jwksUri, headers: { a: 'b' } }],
    ['a header value', { jwksUri, headers: { a: 'c' } }, { jwksUri, headers: { a: 'b' } }],
    ['another function for headers', { jwksUri, headers }, { jwksUri, headers: () => ({ authorization: 'secret' }) }],
    ['another function for ca', { jwksUri, ca }, { jwksUri, ca: () => '' }],
  ])('differs with %s', (_, one, other) => {
    expect(upstreamKey(one)).not.toBe(upstreamKey(other))
  })

  it('differs with the default of network', () => {
    expect(upstreamKey({ jwksUri }, 'public')).not.toBe(upstreamKey({ jwksUri }, 'any'))
  })

  it('contains nothing of a header, and is of one length', () => {
    expect(upstreamKey({ jwksUri, headers: { authorization: 'secret' } })).toMatch(/^[\w-]{43}$/)
  })
})

describe('on a runtime that makes its own connections, such as Bun', () => {
  const check = (registration: object, changes: object = {}, network: 'public' | 'any' = 'any') =>
    checkRegistration(
      { tenant: 'acme', provider: 'main', jwksUri, ...registration },
      {
        rules: { ...rules, canGuardConnections: false, ...changes },
        defaults: {},
        network,
        where: '',
        share: (options) => options,
        existing: () => undefined,
      },
    )

  it.each<[string, object, 'public' | 'any']>([
    ['pinnedSpki', { pinnedSpki: [`${'A'.repeat(43)}=`] }, 'any'],
    ['ca', { ca: () => '' }, 'any'],
    ['network', { network: 'public' }, 'any'],
    ['network', {}, 'public'],
  ])('%s is a TypeError, because it cannot be enforced: %j', (name, registration, network) => {
    expect(() => check(registration, {}, network)).toThrow(TypeError)
    expect(() => check(registration, {}, network)).toThrow(`${name} cannot be enforced on Bun`)
  })

  it('the rest works', () => {
    expect(() => check({})).not.toThrow()
    expect(() => check({ network: 'any' }, {}, 'public')).not.toThrow()
    // A dispatcher makes its own connections anywhere.
    expect(() => check({}, { hasDispatcher: true }, 'public')).not.toThrow()
  })
})

import { describe, expect, it } from 'vitest'
import { createAuthenticator, type JwksAuthOptions, tenantFromHeader, tenantFromIssuer } from '../../../src/index.ts'

const base = { audience: 'api', tenant: tenantFromHeader('x-tenant'), tenants: () => undefined }
const create = (options: object) => () => createAuthenticator({ ...base, ...options })

describe('tenants as a function', () => {
  it.each<[string, object, string]>([
    ['no resolver', { tenant: undefined }, 'tenant is required where tenants is a function'],
    ['tenantFromIssuer', { tenant: tenantFromIssuer() }, 'tenant is required where tenants is a function'],
    ['an issuer beside it', { issuer: 'https://a.example' }, 'issuer cannot be set beside tenants'],
    ['a wrong provider option beside it', { minTtl: 1 }, 'minTtl must be a whole number'],
    ['a wrong claim rule beside it', { clockTolerance: -1 }, 'clockTolerance must be a whole number'],
    ['immutable keys beside it', { keyLifetime: 'immutable' }, "keyLifetime cannot be 'immutable'"],
    ['immutable keys by default', { defaults: { keyLifetime: 'immutable' } }, "keyLifetime cannot be 'immutable'"],
    ['an unknown member of tenantCache', { tenantCache: { tll: 1 } }, 'did you mean "ttl"?'],
    ['tenantCache false', { tenantCache: false }, 'tenantCache must be an object'],
    ['tenantCache null', { tenantCache: null }, 'tenantCache must be an object'],
  ])('is a TypeError with %s', (_, options, message) => {
    expect(create(options)).toThrow(TypeError)
    expect(create(options)).toThrow(message)
  })

  it.each(['max', 'ttl', 'negativeTtl', 'staleTtl', 'timeout'])(
    'is a TypeError with a wrong tenantCache.%s',
    (name) => {
      for (const value of [-1, 1.5, '1', null, Number.POSITIVE_INFINITY]) {
        expect(create({ tenantCache: { [name]: value } })).toThrow(`tenantCache.${name} must be a whole number`)
      }
    },
  )

  it.each([{ ttl: 0 }, { negativeTtl: 0 }, { staleTtl: 0 }, { max: 1 }, { timeout: 1 }, {}, { ttl: undefined }])(
    'takes tenantCache %j',
    (tenantCache) => {
      expect(create({ tenantCache })).not.toThrow()
    },
  )

  it('needs no audience beside it', () => {
    expect(create({ audience: undefined })).not.toThrow()
  })
})

describe('tenantCache', () => {
  it('is a TypeError without effect: where tenants is a record, or absent', () => {
    const tenants = { acme: { issuer: 'https://acme.example' } }
    expect(create({ tenants, tenantCache: {} })).toThrow('tenantCache has no effect unless tenants is a function')
    const short = { issuer: 'https://acme.example', audience: 'api', tenantCache: {} }
    expect(() => createAuthenticator(short as unknown as JwksAuthOptions)).toThrow('tenantCache has no effect')
  })
})

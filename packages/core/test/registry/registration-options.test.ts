import { startRegistry } from '@jwks-auth/test-support/start'
import { Agent } from 'undici'
import { describe, expect, it } from 'vitest'
import type { ProviderRegistration, RegistryOptions } from '../../src/index.ts'
import { wrongProviderOptions } from './option-cases.ts'

const base = { tenant: 'acme', provider: 'auth0', jwksUri: 'https://issuer.example/jwks' }
const byIssuer = { tenant: 'acme', provider: 'auth0' }

async function expectRefused(
  registration: unknown,
  named: string | RegExp,
  options: RegistryOptions = {},
): Promise<void> {
  const registry = startRegistry(options)
  const registered = registry.register(registration as ProviderRegistration)
  await expect(registered).rejects.toBeInstanceOf(TypeError)
  await expect(registered).rejects.toThrow(named)
  expect(registry.statuses()).toEqual([])
}

describe('register', () => {
  it.each(wrongProviderOptions)('does not take %s: %s', async (name, value, named) => {
    await expectRefused({ ...base, [name]: value }, named)
    await expectRefused({ ...base, [name]: value }, named, { defaults: { retryPolicy: { maxRetries: 1 } } })
  })

  it.each<[string, unknown, string | RegExp]>([
    ['a jwksUri that is no URL', { ...base, jwksUri: 'issuer.example/jwks' }, 'jwksUri must be an absolute URL'],
    ['a jwksUri that is empty', { ...base, jwksUri: '' }, 'jwksUri'],
    ['a jwksUri that is a URL object', { ...base, jwksUri: new URL(base.jwksUri) }, 'jwksUri'],
    ['a jwksUri of another scheme', { ...base, jwksUri: 'file:///jwks.json' }, 'jwksUri is not allowed'],
    [
      'a jwksUri with credentials',
      { ...base, jwksUri: 'https://user:pass@issuer.example/jwks' },
      'jwksUri is not allowed',
    ],
    ['neither issuer nor jwksUri', byIssuer, 'issuer or jwksUri is required'],
    ['an issuer that is no URL', { ...byIssuer, issuer: 'accounts.google.com' }, 'issuer must be an absolute URL'],
    ['an issuer with a query', { ...byIssuer, issuer: 'https://issuer.example?a=b' }, 'issuer must have neither query'],
    [
      'an issuer with an empty query',
      { ...byIssuer, issuer: 'https://issuer.example/?' },
      'issuer must have neither query',
    ],
    [
      'an issuer with a fragment',
      { ...byIssuer, issuer: 'https://issuer.example#a' },
      'issuer must have neither query',
    ],
    [
      'an issuer with an empty fragment',
      { ...byIssuer, issuer: 'https://issuer.example/#' },
      'issuer must have neither query',
    ],
    ['an issuer with credentials', { ...byIssuer, issuer: 'https://user@issuer.example' }, 'issuer is not allowed'],
    [
      'a list of issuers without jwksUri',
      { ...byIssuer, issuer: ['https://issuer.example'] },
      'issuer can be a list only',
    ],
    ['an empty list of issuers', { ...base, issuer: [] }, 'issuer must not be an empty list'],
    ['a list with an empty issuer', { ...base, issuer: ['a', ''] }, 'issuer[1]'],
    ['an issuer that is a number', { ...base, issuer: 7 }, 'issuer'],
    ['no tenant', { ...base, tenant: undefined }, 'tenant must be'],
    ['a tenant that is a path', { ...base, tenant: '../x' }, 'tenant must be'],
    ['a tenant that is too long', { ...base, tenant: 'x'.repeat(65) }, 'tenant must be'],
    ['a provider with a slash', { ...base, provider: 'a/b' }, 'provider must be'],
    ['a provider that is empty', { ...base, provider: '' }, 'provider must be'],
    ['an unknown option', { ...base, jwksUrl: 'x' }, 'register has no option "jwksUrl"; did you mean "jwksUri"?'],
    ['an option with a slip', { ...base, maxRedirect: 1 }, 'did you mean "maxRedirects"?'],
    ['an option with two slips', { ...base, pinedSpky: [] }, 'did you mean "pinnedSpki"?'],
    ['an option in another case', { ...base, jwksURI: 'x' }, 'did you mean "jwksUri"?'],
    ['an option unlike any other', { ...base, xylophone: 1 }, /^register has no option "xylophone"$/],
    ['a claim rule', { ...base, audience: 'x' }, 'register has no option "audience"'],
    ['null', null, 'registration must be an object'],
    ['a string', 'https://issuer.example', 'registration must be an object'],
    ['nothing', undefined, 'registration must be an object'],
  ])('does not take %s', async (_, registration, named) => {
    await expectRefused(registration, named)
  })

  it.each<[string, object, RegistryOptions, string]>([
    ['http:', { jwksUri: 'http://issuer.example/jwks' }, { requireHttps: true }, 'jwksUri is not allowed'],
    ['requireHttps: false', { requireHttps: false }, { requireHttps: true }, 'requireHttps cannot be false'],
    ['another domain', {}, { allowedDomains: ['example.org'] }, 'jwksUri is not allowed'],
    ['a domain that ends alike', {}, { allowedDomains: ['uer.example'] }, 'jwksUri is not allowed'],
    [
      'a wider domain',
      { allowedDomains: ['other.example'] },
      { allowedDomains: ['issuer.example'] },
      'allowedDomains has nothing in common',
    ],
    [
      'a host out of its own domains',
      { allowedDomains: ['a.issuer.example'] },
      { allowedDomains: ['issuer.example'] },
      'jwksUri is not allowed',
    ],
  ])('does not take %s where the registry is stricter', async (_, changes, options, named) => {
    await expectRefused({ ...base, ...changes }, named, options)
  })

  it('does not take an issuer with http: where https is required', async () => {
    await expectRefused({ ...byIssuer, issuer: 'http://issuer.example' }, 'issuer is not allowed', {
      requireHttps: true,
    })
  })

  it.each([
    ['network', 'any'],
    ['allowAddresses', ['127.0.0.1']],
    ['pinnedSpki', [`${'A'.repeat(43)}=`]],
    ['ca', () => ''],
  ])('does not take %s beside a dispatcher', async (name, value) => {
    const dispatcher = new Agent()
    await expectRefused({ ...base, [name]: value }, name, { dispatcher })
    await dispatcher.close()
  })

  it.each<[string, object]>([
    [
      'zero where it means never',
      { refreshEarly: 0, prefetchJitter: 0, staleWhileError: 0, maxStale: 0, negativeCacheTtl: 0 },
    ],
    ['zero retries and redirects', { maxRedirects: 0, retryPolicy: { maxRetries: 0 } }],
    ['the least of all else', { minTtl: 1_000, unknownKidCooldown: 1, maxResponseBytes: 1, maxKeys: 1 }],
    ['ten redirects', { maxRedirects: 10 }],
    ['any string for an issuer beside jwksUri', { issuer: 'accounts.google.com' }],
    ['several issuers beside jwksUri', { issuer: ['accounts.google.com', 'https://accounts.google.com'] }],
    ['a domain within the allowed ones', { allowedDomains: ['issuer.example'] }],
    ['undefined for absent', { minTtl: undefined, network: undefined, unknown: undefined }],
    ['names of Object.prototype', { tenant: '__proto__', provider: 'constructor' }],
  ])('takes %s', async (_, changes) => {
    const registry = startRegistry({ allowedDomains: ['example'] })
    await expect(registry.register({ ...base, ...changes })).resolves.toBeUndefined()
  })
})

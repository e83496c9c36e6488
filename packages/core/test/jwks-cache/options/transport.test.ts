import { describe, expect, it } from 'vitest'
import { provider, rejectionOf, setScene, tenant } from '../scene.ts'

describe('requireHttps', () => {
  it('refuses http: where a provider is stricter than its registry', async () => {
    await expect(setScene({ provider: { requireHttps: true } })).rejects.toThrow('requireHttps is true')
    await expect(setScene({ provider: { requireHttps: false } })).resolves.toBeDefined()
  })
})

describe('allowedDomains', () => {
  it('refuses other hosts at registration, and in redirects', async () => {
    await expect(setScene({ provider: { allowedDomains: ['example.com'] } })).rejects.toThrow('allowedDomains')
    const { issuer, resolve } = await setScene({ provider: { allowedDomains: ['127.0.0.1'], negativeCacheTtl: 0 } })
    issuer.answerOnce('jwks', { kind: 'redirect', location: issuer.jwksUri.replace('127.0.0.1', 'localhost') })
    expect(await rejectionOf(resolve())).toMatchObject({ cause: { code: 'ERR_UPSTREAM_URL_NOT_ALLOWED' } })
    expect(await resolve()).toEqual(['key-1'])
  })
})

describe('network', () => {
  it("'public' refuses to connect to a private address", async () => {
    const { issuer, resolve } = await setScene({ provider: { network: 'public' } })
    expect(await rejectionOf(resolve())).toMatchObject({ cause: { code: 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED' } })
    expect(issuer.requestCount()).toBe(0)
  })

  it("is 'public' for registry.register where it is not given", async () => {
    const { resolve } = await setScene({ provider: { network: undefined } })
    expect(await rejectionOf(resolve())).toMatchObject({ cause: { code: 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED' } })
  })

  it("'any' connects, except to where clouds keep credentials", async () => {
    const { registry, resolve } = await setScene({ provider: { network: 'any' } })
    expect(await resolve()).toEqual(['key-1'])
    const jwksUri = 'http://169.254.169.254/latest'
    await registry.register({ tenant, provider: 'metadata', jwksUri, network: 'any' })
    expect(await rejectionOf(registry.resolve(tenant, 'metadata'))).toMatchObject({
      cause: { code: 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED' },
    })
  })
})

describe('allowAddresses', () => {
  it.each(['127.0.0.1', '127.0.0.0/8'])('exempts %s', async (address) => {
    const { resolve } = await setScene({ provider: { network: 'public', allowAddresses: [address] } })
    expect(await resolve()).toEqual(['key-1'])
  })

  it('exempts nothing else', async () => {
    const { registry, resolve } = await setScene({ provider: { network: 'public', allowAddresses: ['127.0.0.2'] } })
    expect(await rejectionOf(resolve())).toMatchObject({ cause: { code: 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED' } })
    expect(registry.status(tenant, provider).lastError?.code).toBe('ERR_UPSTREAM_ADDRESS_NOT_ALLOWED')
  })
})

describe('headers', () => {
  it('are sent with each request to the configured origin', async () => {
    const { issuer, resolve } = await setScene({ provider: { headers: { 'x-api-key': 'secret' } } })
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requests.map(({ headers }) => headers['x-api-key'])).toEqual(['secret'])
  })
})

describe('ca', () => {
  it('is for the certificates of this provider, and must be certificates', async () => {
    await expect(setScene({ provider: { ca: 'not PEM' } })).rejects.toThrow('ca must be certificates in PEM form')
  })
})

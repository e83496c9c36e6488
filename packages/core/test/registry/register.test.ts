import { startIssuer, startRegistry, startRegistryWith } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import type { ProviderRegistration } from '../../src/index.ts'

const base: ProviderRegistration = { tenant: 'acme', provider: 'auth0', jwksUri: 'http://127.0.0.1:1/jwks' }

describe('registering', () => {
  it('waits for no upstream', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    expect(registry.statuses()).toHaveLength(1)
    expect(issuer.requestCount()).toBe(0)
  })

  it('the same again shares what is there, warm', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    const again = { network: 'any', retryPolicy: { maxRetries: 0 }, minTtl: undefined, maxTtl: 86_400_000 } as const
    await registry.register({ ...base, jwksUri: issuer.jwksUri, ...again })
    await registry.resolve('acme', 'auth0')
    expect(issuer.requestCount()).toBe(1)
    expect(registry.statuses()).toHaveLength(1)
  })

  it.each<[string, Partial<ProviderRegistration>]>([
    ['another jwksUri', { jwksUri: 'http://127.0.0.1:2/jwks' }],
    ['an issuer', { issuer: 'https://issuer.example' }],
    ['another TTL', { defaultTtl: 5_000 }],
    ['another retry policy', { retryPolicy: { maxRetries: 1 } }],
    ['other algorithms', { algorithms: ['ES256'] }],
    ['another network', { network: 'any' }],
    ['addresses that are allowed', { allowAddresses: ['127.0.0.1'] }],
    ['stricter rules', { requireHttps: false, allowedDomains: ['127.0.0.1'] }],
  ])('something else under a taken name rejects: %s', async (_, changes) => {
    const registry = startRegistry()
    await registry.register(base)
    await expect(registry.register({ ...base, ...changes })).rejects.toMatchObject({
      name: 'ProviderTakenError',
      code: 'ERR_PROVIDER_TAKEN',
    })
  })

  it.each([
    ['acme', 'okta'],
    ['globex', 'auth0'],
    ['Acme', 'auth0'],
    ['acme', 'Auth0'],
    ['__proto__', 'constructor'],
  ])('another name shares nothing: %s/%s', async (tenant, provider) => {
    const registry = startRegistry()
    await registry.register(base)
    await expect(registry.register({ ...base, tenant, provider, defaultTtl: 5_000 })).resolves.toBeUndefined()
    expect(registry.status(tenant, provider)).toMatchObject({ tenant, provider })
  })

  it("fills gaps from the registry's defaults, and retryPolicy member by member", async () => {
    const registry = startRegistry({ defaults: { minTtl: 5_000, retryPolicy: { maxRetries: 7 } } })
    await registry.register({ ...base, retryPolicy: { deadline: 9_000 } })
    const same = { minTtl: 5_000, retryPolicy: { maxRetries: 7, deadline: 9_000 } }
    await expect(registry.register({ ...base, ...same })).resolves.toBeUndefined()
  })
})

describe('unregistering', () => {
  it('forgets a provider, and says whether there was one', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    expect(await registry.unregister('acme', 'auth0')).toBe(true)
    expect(await registry.unregister('acme', 'auth0')).toBe(false)
    await expect(registry.resolve('acme', 'auth0')).rejects.toMatchObject({ code: 'ERR_PROVIDER_NOT_REGISTERED' })
    expect(registry.statuses()).toEqual([])
  })

  it('makes room for something else', async () => {
    const registry = startRegistry()
    await registry.register(base)
    await registry.unregister('acme', 'auth0')
    await expect(registry.register({ ...base, defaultTtl: 5_000 })).resolves.toBeUndefined()
  })

  it('forgets the keys, so that they are fetched anew', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    await registry.unregister('acme', 'auth0')
    await registry.register({ ...base, jwksUri: issuer.jwksUri, network: 'any' })
    await registry.resolve('acme', 'auth0')
    expect(issuer.requestCount()).toBe(2)
  })
})

describe('an unknown provider', () => {
  it.each([
    ['resolve', (registry) => registry.resolve('acme', 'auth0')],
    ['refresh', (registry) => registry.refresh('acme', 'auth0')],
    ['revokeKey', (registry) => registry.revokeKey('acme', 'auth0', 'k')],
    ['unrevokeKey', (registry) => registry.unrevokeKey('acme', 'auth0', 'k')],
    ['status', async (registry) => registry.status('acme', 'auth0')],
  ] satisfies [string, (registry: ReturnType<typeof startRegistry>) => Promise<unknown>][])(
    'is nothing that %s knows',
    async (_, ask) => {
      await expect(ask(startRegistry())).rejects.toMatchObject({ name: 'ProviderNotRegisteredError' })
    },
  )
})

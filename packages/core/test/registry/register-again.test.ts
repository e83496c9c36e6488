import { audience, startAuthenticator, startIssuer, startRegistry, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'

const name = { tenant: 'acme', provider: 'main' }
const jwksUri = 'http://issuer.example/jwks'
const issuer = 'http://issuer.example'
const headers = () => ({})
const jwks = {
  keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'k', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
}
const otherJwks = { keys: [{ ...jwks.keys[0], kid: 'l' }] }

async function registerBoth(first: object, second: object): Promise<void> {
  const registry = startRegistry()
  await registry.register({ ...name, ...first })
  await registry.register({ ...name, ...second })
  expect(registry.statuses()).toHaveLength(1)
}

describe('a later registration of the same provider', () => {
  it.each<[string, object, object]>([
    ['nothing but the names', { jwksUri, issuer, minTtl: 5_000 }, {}],
    ['the issuer only', { jwksUri, issuer }, { issuer }],
    ['the jwksUri only', { jwksUri, issuer }, { jwksUri }],
    ['the issuers in another order', { jwksUri, issuer: ['a', 'b'] }, { jwksUri, issuer: ['b', 'a'] }],
    ['fewer options', { jwksUri, minTtl: 5_000, maxTtl: 10_000, network: 'any', headers }, { jwksUri, maxTtl: 10_000 }],
    [
      'a member of retryPolicy',
      { jwksUri, retryPolicy: { maxRetries: 7, deadline: 9_000 } },
      { retryPolicy: { deadline: 9_000 } },
    ],
    ['the network that is the default', { jwksUri }, { jwksUri, network: 'public' }],
    ['an option with its default', { jwksUri }, { jwksUri, maxRedirects: 3 }],
    ['the same headers function', { jwksUri, headers }, { jwksUri, headers }],
    ['equal headers', { jwksUri, headers: { a: 'b' } }, { jwksUri, headers: { a: 'b' } }],
    ['equal inline keys', { jwks }, { jwks: structuredClone(jwks) }],
    ['the metadataUri only needed once', { issuer, metadataUri: jwksUri }, { issuer }],
  ])('shares it, and takes from it what it does not give: %s', async (_, first, second) => {
    await expect(registerBoth(first, second)).resolves.toBeUndefined()
  })

  it.each<[string, object, object]>([
    ['another issuer', { jwksUri, issuer }, { issuer: 'http://other.example' }],
    ['an issuer more', { jwksUri, issuer: 'a' }, { issuer: ['a', 'b'] }],
    ['an issuer where there was none', { jwksUri }, { jwksUri, issuer }],
    ['a jwksUri where it was discovered', { issuer }, { issuer, jwksUri }],
    ['another metadataUri', { issuer, metadataUri: jwksUri }, { issuer, metadataUri: 'http://issuer.example/other' }],
    ['other inline keys', { jwks }, { jwks: otherJwks }],
    ['inline keys where they were fetched', { jwksUri }, { jwks }],
    ['another option', { jwksUri }, { jwksUri, maxRedirects: 2 }],
    [
      'another member of retryPolicy',
      { jwksUri, retryPolicy: { deadline: 9_000 } },
      { retryPolicy: { deadline: 9_001 } },
    ],
    ['another network', { jwksUri }, { jwksUri, network: 'any' }],
    ['another headers function', { jwksUri, headers }, { jwksUri, headers: () => ({}) }],
    ['other headers', { jwksUri, headers: { a: 'b' } }, { jwksUri, headers: { a: 'c' } }],
    ['headers where there were none', { jwksUri }, { jwksUri, headers: { a: 'b' } }],
  ])('is refused where it contradicts: %s', async (_, first, second) => {
    await expect(registerBoth(first, second)).rejects.toMatchObject({ code: 'ERR_PROVIDER_TAKEN' })
  })

  it('is still checked', async () => {
    await expect(registerBoth({ jwksUri }, { minTtl: 1 })).rejects.toThrow('minTtl must be')
    await expect(registerBoth({ jwksUri }, { nonsense: 1 })).rejects.toThrow('has no option "nonsense"')
  })
})

describe('a later registration beside a dispatcher', () => {
  it('shares the existing one', async () => {
    const registry = startRegistry({ dispatcher: { request: () => Promise.reject(new Error('unused')) } })
    await registry.register({ ...name, jwksUri })
    await expect(registry.register({ ...name, jwksUri })).resolves.toBeUndefined()
    await expect(registry.register({ ...name, jwksUri, network: 'any' })).rejects.toThrow('network has no effect')
  })
})

describe('register and createAuthenticator on one registry', () => {
  const short = { tenant: 'default', provider: 'default' }

  it('share a provider, although the default of network differs', async () => {
    const server = await startIssuer()
    const registry = startRegistry()
    await registry.register({ ...short, issuer: server.issuer, allowAddresses: ['127.0.0.1'] })
    const authenticator = startAuthenticator({ registry, issuer: server.issuer, audience })
    expect(await verdict(authenticator, await server.sign())).toBe('accepted')
    expect(registry.statuses()).toHaveLength(1)
  })

  it('do so in the other order, too', async () => {
    const server = await startIssuer()
    const registry = startRegistry()
    const authenticator = startAuthenticator({ registry, issuer: server.issuer, audience })
    await registry.register({ ...short, issuer: server.issuer })
    expect(await verdict(authenticator, await server.sign())).toBe('accepted')
    expect(await registry.resolve('default', 'default')).toEqual(server.jwks)
  })

  it('do not where they contradict', async () => {
    const server = await startIssuer()
    const registry = startRegistry()
    await registry.register({ ...short, issuer: server.issuer, minTtl: 5_000 })
    const create = () => startAuthenticator({ registry, issuer: server.issuer, audience, minTtl: 6_000 })
    expect(create).toThrow(expect.objectContaining({ code: 'ERR_PROVIDER_TAKEN' }))
  })
})

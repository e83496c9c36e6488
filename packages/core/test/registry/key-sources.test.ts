import { audience, startAuthenticator, startIssuer, startRegistry, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'

const name = { tenant: 'acme', provider: 'main' }
const key = { kty: 'OKP', crv: 'Ed25519', kid: 'k', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
const jwks = { keys: [key] }
const jwksUri = 'http://issuer.example/jwks'
const metadataUri = 'http://issuer.example/metadata'

function register(registration: object): Promise<void> {
  return startRegistry().register({ ...name, ...registration })
}

describe('inline keys', () => {
  it('are resolved without a request', async () => {
    const registry = startRegistry()
    await registry.register({ ...name, jwks })
    expect(await registry.resolve('acme', 'main')).toEqual(jwks)
    expect(await registry.resolve('acme', 'main', 'k')).toEqual(jwks)
  })

  it.each(['any string', ['accounts.example', 'https://accounts.example']])(
    'go with an issuer that is %j',
    async (issuer) => {
      await expect(register({ jwks, issuer })).resolves.toBeUndefined()
    },
  )

  it('accept the tokens that they sign, in an authenticator', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, jwks: issuer.jwks, audience })
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
    expect(issuer.requestCount()).toBe(0)
  })

  it('skip a key that cannot be used, if there is another one', async () => {
    await expect(register({ jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }, key] } })).resolves.toBeUndefined()
  })

  it.each<[string, unknown, string]>([
    ['text', JSON.stringify(jwks), 'jwks must be a JSON Web Key Set'],
    ['null', null, 'jwks must be a JSON Web Key Set'],
    ['a list', [key], 'jwks must be a JSON Web Key Set'],
    ['one key', key, 'jwks must be a JSON Web Key Set'],
    ['no key', { keys: [] }, 'jwks has no usable key'],
    ['a secret', { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }, 'jwks has no usable key (symmetric)'],
    [
      'a private key',
      { keys: [{ ...key, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }] },
      'jwks has no usable key (private)',
    ],
  ])('are a TypeError if they are %s', async (_, value, message) => {
    await expect(register({ jwks: value })).rejects.toThrow(TypeError)
    await expect(register({ jwks: value })).rejects.toThrow(message)
  })
})

describe('the source of the keys', () => {
  it.each([
    [{ jwks, jwksUri }, 'jwksUri cannot be set beside jwks'],
    [{ jwks, metadataUri, issuer: 'https://issuer.example' }, 'metadataUri cannot be set beside jwks'],
    [{ jwksUri, metadataUri, issuer: 'https://issuer.example' }, 'metadataUri cannot be set beside jwksUri'],
    [{ metadataUri }, 'issuer is required'],
    [{ metadataUri, issuer: ['a', 'b'] }, 'issuer can be a list only beside jwksUri or jwks'],
    [{ metadataUri: '/metadata', issuer: 'a' }, 'metadataUri must be an absolute URL'],
    [{ metadataUri: 'ftp://issuer.example', issuer: 'a' }, 'metadataUri is not allowed'],
    [{}, 'issuer or jwksUri is required'],
  ])('is one: %j', async (registration, message) => {
    await expect(register(registration)).rejects.toThrow(TypeError)
    await expect(register(registration)).rejects.toThrow(message)
  })
})

describe('an option that has no effect', () => {
  const withoutEffect: readonly (readonly [beside: string, given: object, options: object])[] = [
    [
      'jwks',
      { jwks },
      {
        ...{ refreshEarly: 1, prefetchJitter: 1, staleWhileError: 1, maxStale: 1, minTtl: 1_000, maxTtl: 1_000 },
        ...{ defaultTtl: 1_000, prefetch: 'always', keyLifetime: 'immutable', negativeCacheTtl: 1 },
        ...{ unknownKidCooldown: 1, maxResponseBytes: 1, maxRedirects: 1, retryPolicy: {}, network: 'any' },
        ...{ allowAddresses: [], pinnedSpki: [], headers: {}, ca: () => '' },
      },
    ],
    [
      "keyLifetime: 'immutable'",
      { jwksUri, keyLifetime: 'immutable' },
      {
        ...{ refreshEarly: 1, prefetchJitter: 1, staleWhileError: 1, maxStale: 1, minTtl: 1_000, maxTtl: 1_000 },
        ...{ defaultTtl: 1_000 },
      },
    ],
  ]
  const cases = withoutEffect.flatMap(([beside, given, options]) =>
    Object.entries(options).map(([option, value]) => [option, beside, { ...given, [option]: value }] as const),
  )

  it.each(cases)('is a TypeError: %s beside %s', async (option, beside, registration) => {
    await expect(register(registration)).rejects.toThrow(TypeError)
    await expect(register(registration)).rejects.toThrow(`${option} has no effect beside ${beside}`)
  })

  it('may be 0 for none', async () => {
    await expect(
      register({ jwksUri, keyLifetime: 'immutable', prefetchJitter: 0, staleWhileError: 0 }),
    ).resolves.toBeUndefined()
  })

  it('is none of a registration where it is a default for many', async () => {
    const registry = startRegistry({ defaults: { minTtl: 5_000, refreshEarly: 1_000, headers: { a: 'b' } } })
    await registry.register({ ...name, jwks })
    await registry.register({ ...name, provider: 'two', jwksUri, keyLifetime: 'immutable' })
    expect(registry.statuses()).toHaveLength(2)
  })

  it('is a TypeError in one tenant of an authenticator, and none beside tenants', () => {
    const issuer = 'http://issuer.example'
    const immutable = { issuer, jwksUri, audience, keyLifetime: 'immutable' } as const
    const tenant = () => 'acme'
    expect(() => startAuthenticator({ tenant, tenants: { acme: { ...immutable, minTtl: 5_000 } } })).toThrow(
      'tenants.acme.minTtl has no effect beside keyLifetime',
    )
    expect(() => startAuthenticator({ tenant, minTtl: 5_000, tenants: { acme: immutable } })).not.toThrow()
    expect(() => startAuthenticator({ ...immutable, minTtl: 5_000 })).toThrow('minTtl has no effect')
  })
})

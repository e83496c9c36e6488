import { audience, startAuthenticator, startIssuer, startRegistry, verdict } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'

const quick = { retryPolicy: { maxRetries: 0 } }

async function causeOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => 'resolved',
    (error: unknown) => (error as { cause?: { code?: unknown } }).cause?.code,
  )
}

describe('registry.register', () => {
  it.each([
    ['refuses a provider on loopback', {}, 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED'],
    ["takes one with network: 'any'", { network: 'any' }, 'resolved'],
    ['takes one whose address is allowed', { allowAddresses: ['127.0.0.0/8'] }, 'resolved'],
    ["refuses one with an explicit network: 'public'", { network: 'public' }, 'ERR_UPSTREAM_ADDRESS_NOT_ALLOWED'],
  ] as const)('%s', async (_, options, outcome) => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri: issuer.jwksUri, ...quick, ...options })
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe(outcome)
    expect(issuer.requestCount()).toBe(outcome === 'resolved' ? 1 : 0)
  })

  it("takes network from the registry's defaults", async () => {
    const issuer = await startIssuer()
    const registry = startRegistry({ defaults: { network: 'any' } })
    await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri: issuer.jwksUri, ...quick })
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe('resolved')
  })

  it.each(['any', 'public'] as const)("refuses the clouds' metadata with network: '%s'", async (network) => {
    const registry = startRegistry()
    const jwksUri = 'http://169.254.169.254/latest/meta-data/'
    await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri, network, ...quick })
    expect(await causeOf(registry.resolve('acme', 'auth0'))).toBe('ERR_UPSTREAM_ADDRESS_NOT_ALLOWED')
  })
})

describe("an authenticator's own providers", () => {
  it('may be on loopback', async () => {
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({ issuer: issuer.issuer, audience })
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
  })

  it.each([
    ['may not lead there from another origin', {}, 'ERR_KEYS_UNAVAILABLE'],
    ["may where the operator said network: 'any'", { network: 'any' }, 'accepted'],
  ] as const)('%s', async (_, options, outcome) => {
    const [issuer, other] = [await startIssuer(), await startIssuer()]
    issuer.setMetadata({ jwks_uri: other.jwksUri })
    const authenticator = startAuthenticator({ issuer: issuer.issuer, audience, ...quick, ...options })
    expect(await verdict(authenticator, await other.sign({ iss: issuer.issuer }))).toBe(outcome)
    expect(other.requestCount()).toBe(outcome === 'accepted' ? 1 : 0)
  })

  it('are not shared by one who said network and one who did not', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    startAuthenticator({ issuer: issuer.issuer, audience, registry })
    expect(() => startAuthenticator({ issuer: issuer.issuer, audience, registry, network: 'any' })).toThrow(
      expect.objectContaining({ code: 'ERR_PROVIDER_TAKEN' }),
    )
  })
})

describe('allowedDomains', () => {
  async function registerLocalhost(allowedDomains: readonly string[]) {
    const issuer = await startIssuer()
    const registry = startRegistry({ allowedDomains })
    const jwksUri = issuer.jwksUri.replace('127.0.0.1', 'localhost')
    await registry.register({ tenant: 'acme', provider: 'auth0', jwksUri, network: 'any', ...quick })
    return registry
  }

  it.each([[['localhost']], [['LOCALHOST.']], [['example.com', 'localhost']], [[]]])(
    'of %j have localhost',
    async (domains) => {
      expect(await causeOf((await registerLocalhost(domains)).resolve('acme', 'auth0'))).toBe('resolved')
    },
  )

  it.each(['example.com', 'ocalhost', 'local', 'localhost.example.com', '127.0.0.1'])(
    'of %s alone do not',
    async (domain) => {
      await expect(registerLocalhost([domain])).rejects.toThrow(/^jwksUri is not allowed: .* allowedDomains/)
    },
  )
})

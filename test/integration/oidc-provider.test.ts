import { type Authenticator, type AuthOutcome, createAuthenticator, tenantFromHeader } from '@jwks-auth/core'
import { createManualClock, type ManualClock } from '@jwks-auth/testing'
import { decodeProtectedHeader } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { audience, jwksMaxAgeSeconds, type OpenIdProvider, startOpenIdProvider } from './openid-provider.ts'

let acme: OpenIdProvider
let globex: OpenIdProvider
let clock: ManualClock
let authenticator: Authenticator

beforeEach(async () => {
  ;[acme, globex] = await Promise.all([startOpenIdProvider('RS256'), startOpenIdProvider('ES256')])
  clock = createManualClock({ now: Date.now() })
  authenticator = createAuthenticator({
    tenant: tenantFromHeader('x-tenant-id'),
    tenants: { acme: { issuer: acme.issuer, audience }, globex: { issuer: globex.issuer, audience } },
    // Retries would wait for a clock that stands still.
    retryPolicy: { maxRetries: 0 },
    requireHttps: false,
    clock,
  })
})

afterEach(async () => {
  await Promise.all([authenticator.close(), acme.stop(), globex.stop()])
})

async function authenticate(tenant: string, token: string): Promise<AuthOutcome<unknown>> {
  const headers = { 'x-tenant-id': tenant, authorization: `Bearer ${token}` }
  return await authenticator.authenticate({ method: 'GET', url: '/', headers })
}

/** An outcome in short: the `kid` that verified, or the error's code. */
async function outcomeOf(tenant: string, token: string): Promise<string | undefined> {
  const outcome = await authenticate(tenant, token)
  return outcome.ok ? outcome.auth?.header.kid : outcome.error.code
}

describe('an access token of a real OpenID provider', () => {
  it.each([
    ['RS256', 'acme', () => acme],
    ['ES256', 'globex', () => globex],
  ] as const)('signed with %s is verified by the issuer alone', async (alg, tenant, provider) => {
    const token = await provider().getToken()
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'at+jwt', alg, kid: 'key-1' })

    const claims = { iss: provider().issuer, aud: audience, sub: 'client', client_id: 'client', scope: 'read' }
    expect(await authenticate(tenant, token)).toMatchObject({
      ok: true,
      auth: { tenant, provider: 'default', claims, header: { alg }, scopes: new Set(['read']) },
    })
  })

  it('is refused for the other tenant, without a fetch', async () => {
    expect(await outcomeOf('globex', await acme.getToken())).toBe('ERR_ISSUER_NOT_ALLOWED')
    expect(await outcomeOf('acme', await globex.getToken())).toBe('ERR_ISSUER_NOT_ALLOWED')
    expect([acme.requestCount('/jwks'), globex.requestCount('/jwks')]).toEqual([0, 0])
  })

  it('costs one discovery and one request for the keys, however many come at once', async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => acme.getToken()))
    const outcomes = await Promise.all(tokens.map((token) => outcomeOf('acme', token)))
    expect(new Set(outcomes)).toEqual(new Set(['key-1']))
    expect(acme.requestCount('/.well-known/openid-configuration')).toBe(1)
    expect(acme.requestCount('/jwks')).toBe(1)
  })
})

describe('a rotation of the provider’s keys', () => {
  it('lets new tokens pass at once, for one more request, and old ones while their key is published', async () => {
    const before = await acme.getToken()
    expect(await outcomeOf('acme', before)).toBe('key-1')

    await acme.rotate({ keepPrevious: true })
    const after = await Promise.all(Array.from({ length: 20 }, () => acme.getToken()))
    const outcomes = await Promise.all(after.map((token) => outcomeOf('acme', token)))
    expect(new Set(outcomes)).toEqual(new Set(['key-2']))
    expect(await outcomeOf('acme', before)).toBe('key-1')
    expect(acme.requestCount('/jwks')).toBe(2)
  })

  it('that withdraws the old key has its tokens refused once that is known', async () => {
    const before = await globex.getToken()
    expect(await outcomeOf('globex', before)).toBe('key-1')

    await globex.rotate({ keepPrevious: false })
    expect(await outcomeOf('globex', await globex.getToken())).toBe('key-2')
    expect(await outcomeOf('globex', before)).toBe('ERR_KEY_NOT_FOUND')
  })
})

describe('a provider that went down', () => {
  it('does not keep its tokens from passing, before and after its keys expire', async () => {
    const token = await globex.getToken()
    expect(await outcomeOf('globex', token)).toBe('key-1')
    await globex.stop()

    expect(await outcomeOf('globex', token)).toBe('key-1')
    await clock.advance((jwksMaxAgeSeconds + 1) * 1000)
    expect(await outcomeOf('globex', token)).toBe('key-1')
    // A token that was verified before does not wait for the refresh that it starts.
    await vi.waitFor(() => {
      expect(authenticator.registry.status('globex', 'default')).toMatchObject({
        health: 'failing',
        lastError: { code: 'ERR_UPSTREAM_UNREACHABLE' },
      })
    })
    expect(globex.requestCount('/jwks')).toBe(1)
  })

  it('has a token signed with a key that was never seen answered with 503', async () => {
    expect(await outcomeOf('globex', await globex.getToken())).toBe('key-1')
    await globex.rotate({ keepPrevious: true })
    const unseen = await globex.getToken()
    await globex.stop()
    expect(await authenticate('globex', unseen)).toMatchObject({ ok: false, response: { status: 503 } })
  })

  it('leaves the other tenant alone', async () => {
    const token = await acme.getToken()
    await globex.stop()
    expect(await outcomeOf('acme', token)).toBe('key-1')
  })
})

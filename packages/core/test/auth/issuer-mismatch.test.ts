import { audience, authenticate, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { type JwksAuthOptions, type RegistryEvents, tenantFromHeader } from '../../src/index.ts'

/** Starts an API, and records its events. */
async function start(options: (jwksUri: string) => object) {
  const issuer = await startIssuer()
  const authenticator = startAuthenticator({ audience, ...options(issuer.jwksUri) } as JwksAuthOptions)
  const events: RegistryEvents['issuer-mismatch'][] = []
  authenticator.registry.on('issuer-mismatch', (event) => events.push(event))
  const ask = async (iss: string, tenant = 'acme') => {
    const outcome = await authenticate(authenticator, await issuer.sign({ iss }), { headers: { 'x-tenant': tenant } })
    return outcome.ok ? 'accepted' : outcome.error.code
  }
  return { ask, events }
}

const short = (issuer: string) => (jwksUri: string) => ({ issuer, jwksUri })

describe('a token whose issuer is almost the configured one', () => {
  it.each([
    ['https://acme.eu.auth0.com/', 'https://acme.eu.auth0.com', 'trailing-slash'],
    ['https://acme.eu.auth0.com', 'https://acme.eu.auth0.com/', 'trailing-slash'],
    ['https://sso.example/realms/Acme', 'https://sso.example/realms/acme', 'case'],
    ['https://sso.example/realms/acme', 'https://SSO.example/realms/acme', 'case'],
    ['https://sso.example/realms/Acme', 'https://sso.example/realms/acme/', 'trailing-slash-and-case'],
  ])('is refused with an event: %s and %s', async (configured, iss, difference) => {
    const { ask, events } = await start(short(configured))
    expect(await ask(iss)).toBe('ERR_ISSUER_NOT_ALLOWED')
    expect(events).toEqual([{ tenant: 'default', provider: 'default', issuer: configured, difference }])
  })

  it.each([
    'https://acme.eu.auth0.com//',
    'https://acme.us.auth0.com/',
    'acme',
    '',
    '/',
    'https://acme.eu.auth0.com/x',
  ])('is another one, without an event: "%s"', async (iss) => {
    const { ask, events } = await start(short('https://acme.eu.auth0.com/'))
    expect(await ask(iss)).toBe('ERR_ISSUER_NOT_ALLOWED')
    expect(events).toEqual([])
  })

  it('is reported once for each issuer and provider', async () => {
    const { ask, events } = await start((jwksUri) => ({ issuer: ['https://a.example', 'https://b.example'], jwksUri }))
    for (const iss of ['https://a.example/', 'https://A.example', 'https://b.example/', 'https://a.example/'])
      await ask(iss)
    expect(events.map(({ issuer }) => issuer)).toEqual(['https://a.example', 'https://b.example'])
    expect(await ask('https://a.example')).toBe('accepted')
  })

  it('is reported for the tenant of the request only', async () => {
    const { ask, events } = await start((jwksUri) => ({
      tenant: tenantFromHeader('x-tenant'),
      tenants: {
        acme: { issuer: 'https://acme.example', jwksUri },
        globex: { providers: { main: { issuer: 'https://globex.example', jwksUri } } },
      },
    }))
    expect(await ask('https://globex.example/')).toBe('ERR_ISSUER_NOT_ALLOWED')
    expect(await ask('https://globex.example/', 'unknown')).toBe('ERR_TENANT_UNKNOWN')
    expect(events).toEqual([])
    await ask('https://globex.example/', 'globex')
    expect(events).toEqual([
      { tenant: 'globex', provider: 'main', issuer: 'https://globex.example', difference: 'trailing-slash' },
    ])
  })

  it('is reported where the issuer decides the tenant', async () => {
    const { ask, events } = await start((jwksUri) => ({
      tenants: {
        acme: { issuer: 'https://acme.example', jwksUri },
        globex: { issuer: 'https://globex.example', jwksUri },
      },
    }))
    expect(await ask('https://globex.example/')).toBe('ERR_TENANT_NOT_DETERMINED')
    expect(events).toEqual([
      { tenant: 'globex', provider: 'default', issuer: 'https://globex.example', difference: 'trailing-slash' },
    ])
  })

  it('is reported for a tenant that was looked up', async () => {
    const { ask, events } = await start((jwksUri) => ({
      tenant: tenantFromHeader('x-tenant'),
      tenants: async () => ({ issuer: 'https://acme.example', jwksUri }),
    }))
    await ask('https://acme.example/')
    await ask('https://acme.example/')
    expect(events).toEqual([
      { tenant: 'acme', provider: 'default', issuer: 'https://acme.example', difference: 'trailing-slash' },
    ])
  })
})

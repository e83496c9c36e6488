import { type JwksAuthOptions, tenantFromHeader, tenantFromHost, tenantFromPath } from '@jwks-auth/core'
import { audience, authenticate, startAuthenticator, verdict } from '@jwks-auth/test-support/start'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const tenants = ['acme', 'globex', '__proto__'] as const
const providers = ['auth0', 'entra'] as const
type Name = `${(typeof tenants)[number]}/${(typeof providers)[number]}`
const names = tenants.flatMap((tenant) => providers.map((provider): Name => `${tenant}/${provider}`))

const issuers = new Map<string, TestIssuer>()

beforeAll(async () => {
  // Every issuer calls its key the same, so that a key found by its name alone would be the wrong one.
  for (const name of names) {
    issuers.set(name, await createTestIssuer({ algorithm: 'ES256', kid: 'key', audience }))
  }
})
afterAll(() => Promise.all([...issuers.values()].map((issuer) => issuer.close())))

function issuerOf(name: string): TestIssuer {
  const issuer = issuers.get(name)
  if (issuer === undefined) throw new Error(`there is no issuer ${name}`)
  return issuer
}

/** The record as it would come from a file, where `__proto__` is a member like any other. */
function tenantRecord(): Extract<JwksAuthOptions, { readonly tenants: object }>['tenants'] {
  const text = tenants.map((tenant) => {
    const config = providers.map((provider) => [provider, { issuer: issuerOf(`${tenant}/${provider}`).issuer }])
    return `${JSON.stringify(tenant)}:${JSON.stringify({ providers: Object.fromEntries(config) })}`
  })
  return JSON.parse(`{${text.join(',')}}`)
}

const resolvers = {
  host: {
    resolver: tenantFromHost(':tenant.api.example'),
    request: (tenant: string) => ({ headers: { host: `${tenant}.api.example` } }),
  },
  path: {
    resolver: tenantFromPath('/t/:tenant'),
    request: (tenant: string) => ({ url: `/t/${tenant}/orders` }),
  },
  header: {
    resolver: tenantFromHeader('x-tenant'),
    request: (tenant: string) => ({ headers: { 'x-tenant': tenant } }),
  },
}

const pairs = tenants.flatMap((requested) => names.map((name) => [requested, name] as const))

describe.each(Object.entries(resolvers))('the tenant comes from the %s', (_, { resolver, request }) => {
  it.each(pairs)(
    'and a request for %s with a token of %s passes only if that is its tenant',
    async (requested, name) => {
      const authenticator = startAuthenticator({ tenant: resolver, tenants: tenantRecord(), audience })
      const outcome = await authenticate(authenticator, await issuerOf(name).sign(), request(requested))
      const [tenant, provider] = name.split('/')
      const passed = { ok: true, auth: { tenant, provider, claims: { iss: issuerOf(name).issuer } } }
      const refused = { ok: false, error: { code: 'ERR_ISSUER_NOT_ALLOWED' }, response: { status: 401 } }
      expect(outcome).toMatchObject(requested === tenant ? passed : refused)
    },
  )
})

describe('a token that is forged', () => {
  const others = names.flatMap((signer) =>
    names.filter((name) => name !== signer).map((name) => [signer, name] as const),
  )

  it.each(others)('by %s in the name of %s is refused there', async (signer, name) => {
    const authenticator = startAuthenticator({
      tenant: tenantFromHeader('x-tenant'),
      tenants: tenantRecord(),
      audience,
      unknownKidCooldown: 1,
    })
    const [tenant = ''] = name.split('/')
    const token = await issuerOf(signer).sign({ iss: issuerOf(name).issuer })
    expect(await verdict(authenticator, token, resolvers.header.request(tenant))).toBe('ERR_SIGNATURE_INVALID')
  })
})

describe('a request', () => {
  it.each([
    ['no tenant', {}, 'ERR_TENANT_NOT_DETERMINED'],
    ['a tenant that came twice', { headers: { 'x-tenant': ['acme', 'acme'] } }, 'ERR_TENANT_NOT_DETERMINED'],
    ['a tenant that can be none', { headers: { 'x-tenant': '../acme' } }, 'ERR_TENANT_NOT_DETERMINED'],
    ['an empty tenant', { headers: { 'x-tenant': '' } }, 'ERR_TENANT_NOT_DETERMINED'],
    ['a tenant in another case', { headers: { 'x-tenant': 'ACME' } }, 'ERR_TENANT_UNKNOWN'],
    ['an unknown tenant', { headers: { 'x-tenant': 'initech' } }, 'ERR_TENANT_UNKNOWN'],
    ['a name of Object.prototype', { headers: { 'x-tenant': 'constructor' } }, 'ERR_TENANT_UNKNOWN'],
  ])('with %s is refused, with the same answer as any other', async (_, request, code) => {
    const authenticator = startAuthenticator({
      tenant: tenantFromHeader('x-tenant'),
      tenants: tenantRecord(),
      audience,
    })
    const outcome = await authenticate(authenticator, await issuerOf('acme/auth0').sign(), request)
    const foreign = await authenticate(
      authenticator,
      await issuerOf('acme/auth0').sign(),
      resolvers.header.request('globex'),
    )
    expect(outcome).toMatchObject({ ok: false, error: { code } })
    expect(!outcome.ok && outcome.response).toEqual(!foreign.ok && foreign.response)
  })

  it('costs no provider anything where the token is not of its tenant', async () => {
    const authenticator = startAuthenticator({
      tenant: tenantFromHeader('x-tenant'),
      tenants: tenantRecord(),
      audience,
    })
    for (const issuer of issuers.values()) issuer.clearRequests()
    await verdict(authenticator, await issuerOf('acme/auth0').sign(), resolvers.header.request('globex'))
    expect([...issuers.values()].map((issuer) => issuer.requestCount())).toEqual(names.map(() => 0))
  })
})

describe('without a resolver', () => {
  it.each(names)('a token of %s is of its own tenant', async (name) => {
    const authenticator = startAuthenticator({ tenants: tenantRecord(), audience })
    const [tenant, provider] = name.split('/')
    const outcome = await authenticate(authenticator, await issuerOf(name).sign())
    expect(outcome).toMatchObject({ ok: true, auth: { tenant, provider } })
  })

  it('a token of a foreign issuer is of none', async () => {
    const authenticator = startAuthenticator({ tenants: tenantRecord(), audience })
    const token = await issuerOf('acme/auth0').sign({ iss: 'https://foreign.example' })
    expect(await verdict(authenticator, token)).toBe('ERR_TENANT_NOT_DETERMINED')
  })
})

describe('two tenants with one issuer', () => {
  const shared = { tenant: tenantFromHeader('x-tenant'), audience }

  it.each([
    ['acme', 'org_1', 'accepted'],
    ['globex', 'org_2', 'accepted'],
    ['acme', 'org_2', 'ERR_CLAIM_NOT_BOUND'],
    ['globex', 'org_1', 'ERR_CLAIM_NOT_BOUND'],
    ['globex', undefined, 'ERR_CLAIM_NOT_BOUND'],
  ])('and boundClaims: for %s, a token of %s is %s', async (tenant, organization, outcome) => {
    const { issuer } = issuerOf('acme/auth0')
    const authenticator = startAuthenticator({
      ...shared,
      tenants: {
        acme: { issuer, boundClaims: { org_id: 'org_1' } },
        globex: { issuer, boundClaims: { org_id: 'org_2' } },
      },
    })
    const token = await issuerOf('acme/auth0').sign({ org_id: organization })
    expect(await verdict(authenticator, token, resolvers.header.request(tenant))).toBe(outcome)
  })
})

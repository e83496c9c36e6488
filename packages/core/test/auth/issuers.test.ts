import { audience, authenticate, startAuthenticator, startIssuer, verdict } from '@jwks-auth/test-support/start'
import type { TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createAuthenticator, type JwksAuthOptions, type TenantConfig, tenantFromHeader } from '../../src/index.ts'

const [contoso, fabrikam, stranger] = [
  '11111111-aaaa-4bbb-8ccc-000000000001',
  '22222222-aaaa-4bbb-8ccc-000000000002',
  '33333333-aaaa-4bbb-8ccc-000000000003',
] as const
const v2 = (tid: string): string => `https://login.microsoftonline.com/${tid}/v2.0`
const v1 = (tid: string): string => `https://sts.windows.net/${tid}/`

/** An issuer whose keys name the issuers that they serve, as those of Entra ID do. */
async function startEntra(): Promise<TestIssuer> {
  const server = await startIssuer()
  server.setJwks({ keys: server.jwks.keys.map((key) => ({ ...key, issuer: v2('{tenantid}') })) })
  return server
}

const startCommon = (server: TestIssuer, options: object = {}) =>
  startAuthenticator({
    issuer: v2('{tenantid}'),
    allowedTenantIds: [contoso, fabrikam],
    jwksUri: server.jwksUri,
    audience,
    ...options,
  })

describe('an issuer with {tenantid}', () => {
  it.each([contoso, fabrikam])('accepts the tokens of an allowed tenant id: %s', async (tid) => {
    const server = await startEntra()
    const authenticator = startCommon(server)
    expect(await verdict(authenticator, await server.sign({ iss: v2(tid), tid }))).toBe('accepted')
  })

  it.each<[string, object, string]>([
    ['another tenant id', { iss: v2(stranger), tid: stranger }, 'ERR_ISSUER_NOT_ALLOWED'],
    ['another tid than the one in iss', { iss: v2(contoso), tid: fabrikam }, 'ERR_CLAIM_NOT_BOUND'],
    ['the tid of a stranger', { iss: v2(contoso), tid: stranger }, 'ERR_CLAIM_NOT_BOUND'],
    ['no tid', { iss: v2(contoso) }, 'ERR_CLAIM_MISSING'],
    ['a tid that is a part of the id', { iss: v2(contoso), tid: '1' }, 'ERR_CLAIM_NOT_BOUND'],
    ['a tid that is no string', { iss: v2(contoso), tid: [contoso] }, 'ERR_CLAIM_NOT_BOUND'],
    ['the placeholder itself', { iss: v2('{tenantid}'), tid: contoso }, 'ERR_ISSUER_NOT_ALLOWED'],
    ['version 1.0, which is not configured', { iss: v1(contoso), tid: contoso }, 'ERR_ISSUER_NOT_ALLOWED'],
    ['more after the issuer', { iss: `${v2(contoso)}/x`, tid: contoso }, 'ERR_ISSUER_NOT_ALLOWED'],
  ])('refuses a token with %s', async (_, claims, code) => {
    const server = await startEntra()
    expect(await verdict(startCommon(server), await server.sign({ ...claims }))).toBe(code)
  })

  it('accepts version 1.0 with the same keys where that is configured', async () => {
    const server = await startEntra()
    const authenticator = startCommon(server, { issuer: [v2('{tenantid}'), v1('{tenantid}')] })
    expect(await verdict(authenticator, await server.sign({ iss: v1(contoso), tid: contoso }))).toBe('accepted')
    expect(await verdict(authenticator, await server.sign({ iss: v2(contoso), tid: contoso }))).toBe('accepted')
    expect(await verdict(authenticator, await server.sign({ iss: v1(contoso), tid: fabrikam }))).toBe(
      'ERR_CLAIM_NOT_BOUND',
    )
  })

  it('takes ids in upper case, as some portals show them', async () => {
    const server = await startEntra()
    const authenticator = startCommon(server, { allowedTenantIds: [contoso.toUpperCase()] })
    expect(await verdict(authenticator, await server.sign({ iss: v2(contoso), tid: contoso }))).toBe('accepted')
  })

  it('discovers the keys at metadataUri, whose issuer has the placeholder, too', async () => {
    const server = await startEntra()
    server.setMetadata({ issuer: v2('{tenantid}') })
    const metadataUri = `${server.issuer}/.well-known/openid-configuration`
    const authenticator = startCommon(server, { jwksUri: undefined, metadataUri })
    expect(await verdict(authenticator, await server.sign({ iss: v2(contoso), tid: contoso }))).toBe('accepted')
  })

  it('separates tenants of one application, each with ids of its own', async () => {
    const server = await startEntra()
    const common = { issuer: v2('{tenantid}'), jwksUri: server.jwksUri }
    const authenticator = startAuthenticator({
      tenant: tenantFromHeader('x-tenant'),
      tenants: { a: { ...common, allowedTenantIds: [contoso] }, b: { ...common, allowedTenantIds: [fabrikam] } },
      audience,
    })
    const token = await server.sign({ iss: v2(contoso), tid: contoso })
    expect(await authenticate(authenticator, token, { headers: { 'x-tenant': 'a' } })).toMatchObject({ ok: true })
    expect(await authenticate(authenticator, token, { headers: { 'x-tenant': 'b' } })).toMatchObject({
      error: { code: 'ERR_ISSUER_NOT_ALLOWED' },
    })
  })

  it('is found by the token alone, without a resolver', async () => {
    const server = await startEntra()
    const entra = { issuer: v2('{tenantid}'), allowedTenantIds: [contoso], jwksUri: server.jwksUri }
    const authenticator = startAuthenticator({ tenants: { entra, other: { issuer: server.issuer } }, audience })
    expect(await verdict(authenticator, await server.sign({ iss: v2(contoso), tid: contoso }))).toBe('accepted')
  })

  it('does not make a default of allowedTenantIds a rule for other issuers', async () => {
    const server = await startIssuer()
    const authenticator = startAuthenticator({
      tenants: { other: { issuer: server.issuer } },
      allowedTenantIds: [contoso],
      audience,
    })
    expect(await verdict(authenticator, await server.sign())).toBe('accepted')
  })
})

describe('allowedTenantIds', () => {
  const issuer = v2('{tenantid}')
  const jwksUri = 'https://login.microsoftonline.com/common/discovery/v2.0/keys'

  it.each<[object, string]>([
    [{ issuer, jwksUri }, 'allowedTenantIds is required with an issuer that contains {tenantid}'],
    [{ issuer, jwksUri, allowedTenantIds: [] }, 'allowedTenantIds must not be an empty list'],
    [{ issuer, jwksUri, allowedTenantIds: ['contoso.example'] }, 'allowedTenantIds[0] must be a GUID'],
    [{ issuer, jwksUri, allowedTenantIds: [contoso, 1] }, 'allowedTenantIds[1] must be'],
    [{ issuer, allowedTenantIds: [contoso] }, 'jwksUri or metadataUri is required'],
    [{ issuer: v2(contoso), allowedTenantIds: [contoso] }, 'allowedTenantIds has no effect without'],
  ])('is checked: %j', (options, message) => {
    const short = { audience, ...options } as JwksAuthOptions
    expect(() => createAuthenticator(short)).toThrow(message)
    const tenants = { acme: options as TenantConfig }
    expect(() => createAuthenticator({ audience, tenants })).toThrow(`tenants.acme.`)
    expect(() => createAuthenticator({ audience, tenants })).toThrow(TypeError)
  })
})

describe('issuers of well-known providers', () => {
  it('are accepted in both forms of Google', async () => {
    const server = await startIssuer()
    const issuer = ['https://accounts.google.com', 'accounts.google.com']
    const authenticator = startAuthenticator({ issuer, jwksUri: server.jwksUri, audience })
    for (const iss of issuer) expect(await verdict(authenticator, await server.sign({ iss }))).toBe('accepted')
    expect(await verdict(authenticator, await server.sign({ iss: 'google.com' }))).toBe('ERR_ISSUER_NOT_ALLOWED')
  })

  it('differ from the address of the keys: Keycloak behind an ingress', async () => {
    const server = await startIssuer()
    const issuer = 'https://sso.example.com/realms/acme'
    const authenticator = startAuthenticator({ issuer, jwksUri: server.jwksUri, audience })
    expect(await verdict(authenticator, await server.sign({ iss: issuer }))).toBe('accepted')
    expect(server.requests.map(({ endpoint }) => endpoint)).toEqual(['jwks'])
  })

  it('have access tokens without aud: Cognito, told apart by client_id', async () => {
    const server = await startIssuer()
    const authenticator = startAuthenticator({ issuer: server.issuer, audience: false, clientIds: ['web'] })
    const sign = (client_id: string) => server.sign({ aud: undefined, client_id, token_use: 'access' })
    expect(await verdict(authenticator, await sign('web'))).toBe('accepted')
    expect(await verdict(authenticator, await sign('other'))).toBe('ERR_CLIENT_NOT_ALLOWED')
  })
})

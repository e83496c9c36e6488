import { audience, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { type AuthRequest, type JwksAuthOptions, tenantFromHost, tenantFromPath } from '../../src/index.ts'

async function scene(options: object = {}) {
  const issuer = await startIssuer()
  const authenticator = startAuthenticator({ issuer: issuer.issuer, audience, ...options })
  return { token: await issuer.sign(), issuer, authenticator }
}

async function tenantScene(tenant: unknown) {
  const issuer = await startIssuer()
  const tenants = { acme: { issuer: issuer.issuer } }
  return {
    token: await issuer.sign(),
    authenticator: startAuthenticator({ tenant, tenants, audience } as JwksAuthOptions),
  }
}

describe('header names', () => {
  it.each(['authorization', 'Authorization', 'AUTHORIZATION', 'aUTHORIZATION'])('have no case: %s', async (name) => {
    const { token, authenticator } = await scene()
    const outcome = await authenticator.authenticate({
      method: 'GET',
      url: '/',
      headers: { [name]: `Bearer ${token}` },
    })
    expect(outcome).toMatchObject({ ok: true, auth: { token } })
  })

  it('that differ in case alone are one header that came twice', async () => {
    const { token, authenticator } = await scene()
    const headers = { authorization: `Bearer ${token}`, Authorization: `Bearer ${token}` }
    expect(await authenticator.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({
      error: { code: 'ERR_AUTHORIZATION_MALFORMED' },
    })
  })

  it('are own members only', async () => {
    const { token, authenticator } = await scene()
    const headers = Object.create({ authorization: `Bearer ${token}` })
    expect(await authenticator.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({
      error: { code: 'ERR_TOKEN_MISSING' },
    })
  })
})

describe('a fetch Request', () => {
  it('is authenticated by its headers', async () => {
    const { token, authenticator } = await scene()
    const request = new Request('https://api.example/a?b=c', { headers: { Authorization: `Bearer ${token}` } })
    expect(await authenticator.authenticate(request)).toMatchObject({ ok: true, auth: { token } })
    expect(await authenticator.authenticate(new Request('https://api.example/'))).toMatchObject({
      error: { code: 'ERR_TOKEN_MISSING' },
    })
  })

  it('is given to callbacks as an AuthRequest with the target, the host and the Request', async () => {
    let seen: AuthRequest | undefined
    const { token, authenticator } = await scene({
      isRevoked: (_: unknown, request: AuthRequest) => {
        seen = request
        return false
      },
    })
    const request = new Request('https://api.example/a?b=c', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'X-Trace': '1' },
    })
    await authenticator.authenticate(request)
    expect(seen).toMatchObject({ method: 'POST', url: '/a?b=c', hostname: 'api.example', headers: { 'x-trace': '1' } })
    expect(seen?.raw).toBe(request)
  })

  it('that carries two tokens is malformed', async () => {
    const { token, authenticator } = await scene()
    const headers = new Headers({ authorization: `Bearer ${token}` })
    headers.append('authorization', `Bearer ${token}`)
    expect(await authenticator.authenticate(new Request('https://api.example/', { headers }))).toMatchObject({
      error: { code: 'ERR_AUTHORIZATION_MALFORMED' },
    })
  })

  it.each([
    ['a host', tenantFromHost(':tenant.example.com'), 'https://acme.example.com/'],
    ['a path', tenantFromPath('/tenants/:tenant'), 'https://example.com/tenants/acme/orders'],
  ])('names its tenant by %s', async (_, tenant, url) => {
    const { token, authenticator } = await tenantScene(tenant)
    const outcome = await authenticator.authenticate(
      new Request(url, { headers: { authorization: `Bearer ${token}` } }),
    )
    expect(outcome).toMatchObject({ ok: true, auth: { tenant: 'acme' } })
  })
})

describe('fetch Headers in a request', () => {
  it('are read like a record, by callbacks too', async () => {
    const { token, authenticator } = await tenantScene(({ headers }: AuthRequest) => headers['x-tenant'])
    const headers = new Headers({ Authorization: `Bearer ${token}`, 'X-Tenant': 'acme' })
    expect(await authenticator.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({ ok: true })
  })
})

describe('anything else than a request', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'Bearer x'],
    ['a token alone', { token: 'x' }],
    ['no headers', { method: 'GET', url: '/' }],
    ['headers that are null', { method: 'GET', url: '/', headers: null }],
    ['headers in a list', { method: 'GET', url: '/', headers: [['authorization', 'Bearer x']] }],
    ['no method', { url: '/', headers: {} }],
    ['a URL object', { method: 'GET', url: new URL('https://api.example/'), headers: {} }],
    ['a promise', Promise.resolve({ method: 'GET', url: '/', headers: {} })],
  ])('is a TypeError, and never a request without a token: %s', async (_, request) => {
    const { authenticator } = await scene({ credentialsRequired: false })
    expect(() => authenticator.authenticate(request as never)).toThrow(
      /authenticate takes an AuthRequest or a fetch Request/,
    )
  })
})

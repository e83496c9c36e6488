import { audience, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import type { AuthRequest, JwksAuthOptions } from '../../src/index.ts'

async function scene(options: Partial<JwksAuthOptions> = {}) {
  const issuer = await startIssuer()
  const given = { issuer: issuer.issuer, audience, ...options } as JwksAuthOptions
  return { issuer, authenticator: startAuthenticator(given) }
}

describe('a token without a request', () => {
  it('is accepted as the same token in a request is, and shares its cache entry', async () => {
    let validated = 0
    const { issuer, authenticator } = await scene({
      validate: () => {
        validated += 1
      },
    })
    const token = await issuer.sign({ scope: 'a' })
    const outcome = await authenticator.verify(token)
    expect(outcome).toMatchObject({ ok: true, auth: { tenant: 'default', provider: 'default', token } })
    const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } }
    expect(await authenticator.authenticate(request)).toMatchObject({ ok: true })
    expect(validated).toBe(1)
  })

  it('is verified without a promise once the keys are cached', async () => {
    const { issuer, authenticator } = await scene()
    await authenticator.verify(await issuer.sign())
    expect(authenticator.verify(await issuer.sign({ sub: 'other' }))).toMatchObject({ ok: true })
  })

  it.each([
    ['undefined', undefined, 'ERR_TOKEN_MISSING', 401],
    ['null', null, 'ERR_TOKEN_MISSING', 401],
    ['an empty string', '', 'ERR_TOKEN_MISSING', 401],
    ['a number', 7, 'ERR_TOKEN_MALFORMED', 401],
    ['an object', { token: 'x' }, 'ERR_TOKEN_MALFORMED', 401],
    ['a list', ['a.b.c'], 'ERR_TOKEN_MALFORMED', 401],
    ['text', 'text', 'ERR_TOKEN_MALFORMED', 401],
    ['a header', 'Bearer a.b.c', 'ERR_TOKEN_MALFORMED', 401],
    ['a long text', 'x'.repeat(16_385), 'ERR_TOKEN_TOO_LONG', 400],
  ])('is refused where it is %s', async (_, token, code, status) => {
    const { authenticator } = await scene({ credentialsRequired: false })
    const outcome = authenticator.verify(token as string)
    expect(outcome).toMatchObject({ ok: false, error: { code }, response: { status } })
  })

  it('is not taken from the sources of requests', async () => {
    const { issuer, authenticator } = await scene({
      getToken: () => {
        throw new Error('called')
      },
    })
    expect(await authenticator.verify(await issuer.sign())).toMatchObject({ ok: true })
  })

  it('is refused by isRevoked, which sees an empty request', async () => {
    const seen: AuthRequest[] = []
    const { issuer, authenticator } = await scene({
      isRevoked: (_auth, request) => {
        seen.push(request)
        return true
      },
    })
    expect(await authenticator.verify(await issuer.sign())).toMatchObject({ error: { code: 'ERR_TOKEN_REVOKED' } })
    expect(seen).toEqual([{ method: '', url: '', headers: {} }])
    expect(Object.isFrozen(seen[0]) && Object.isFrozen(seen[0]?.headers)).toBe(true)
  })

  it('rejects with what a callback threw', async () => {
    const { issuer, authenticator } = await scene({
      validate: () => {
        throw new Error('broken')
      },
    })
    await expect(issuer.sign().then((token) => authenticator.verify(token))).rejects.toThrow('broken')
  })

  it('is refused once the authenticator is closed', async () => {
    const { issuer, authenticator } = await scene()
    await authenticator.close()
    expect(authenticator.verify(await issuer.sign())).toMatchObject({ error: { code: 'ERR_REGISTRY_CLOSED' } })
  })

  it.each([[null], ['acme'], [{ tenent: 'acme' }]])('throws a TypeError for the options %j', async (options) => {
    const { authenticator } = await scene()
    expect(() => authenticator.verify('x', options as never)).toThrow(TypeError)
  })
})

describe('the tenant of a token without a request', () => {
  async function tenants() {
    const [one, other] = [await startIssuer(), await startIssuer()]
    const authenticator = startAuthenticator({
      audience,
      tenant: () => {
        throw new Error('called')
      },
      tenants: { acme: { issuer: one.issuer }, globex: { issuer: other.issuer } },
    })
    return { one, other, authenticator }
  }

  it('is the one that is given', async () => {
    const { one, other, authenticator } = await tenants()
    expect(await authenticator.verify(await one.sign(), { tenant: 'acme' })).toMatchObject({ auth: { tenant: 'acme' } })
    const foreign = await authenticator.verify(await other.sign(), { tenant: 'acme' })
    expect(foreign).toMatchObject({ error: { code: 'ERR_ISSUER_NOT_ALLOWED' } })
  })

  it('is checked for a cached token, too', async () => {
    const { one, authenticator } = await tenants()
    const token = await one.sign()
    expect(await authenticator.verify(token)).toMatchObject({ ok: true })
    expect(authenticator.verify(token, { tenant: 'globex' })).toMatchObject({
      error: { code: 'ERR_ISSUER_NOT_ALLOWED' },
    })
  })

  it('is the one that has its issuer, where none is given', async () => {
    const { other, authenticator } = await tenants()
    expect(await authenticator.verify(await other.sign())).toMatchObject({ auth: { tenant: 'globex' } })
  })

  it.each([
    ['nowhere', 'ERR_TENANT_UNKNOWN'],
    ['__proto__', 'ERR_TENANT_UNKNOWN'],
    ['../acme', 'ERR_TENANT_NOT_DETERMINED'],
    ['', 'ERR_TENANT_NOT_DETERMINED'],
    [null, 'ERR_TENANT_NOT_DETERMINED'],
    [7, 'ERR_TENANT_NOT_DETERMINED'],
    [['acme'], 'ERR_TENANT_NOT_DETERMINED'],
  ])('is refused where it is %j', async (tenant, code) => {
    const { one, authenticator } = await tenants()
    expect(authenticator.verify(await one.sign(), { tenant: tenant as string })).toMatchObject({ error: { code } })
  })

  it('is required where two tenants share an issuer', async () => {
    const { issuer, sign } = await startIssuer()
    const authenticator = startAuthenticator({
      tenant: () => 'acme',
      tenants: {
        acme: { issuer, audience },
        globex: { issuer, audience: 'https://globex.example' },
      },
    })
    const token = await sign()
    expect(authenticator.verify(token)).toMatchObject({ error: { code: 'ERR_TENANT_NOT_DETERMINED' } })
    expect(await authenticator.verify(token, { tenant: 'acme' })).toMatchObject({ ok: true })
  })

  it('may be named default in the short form, and nothing else', async () => {
    const { issuer, authenticator } = await scene()
    const token = await issuer.sign()
    expect(await authenticator.verify(token, { tenant: 'default' })).toMatchObject({ ok: true })
    expect(authenticator.verify(token, { tenant: 'acme' })).toMatchObject({ error: { code: 'ERR_TENANT_UNKNOWN' } })
  })
})

describe('onRefused', () => {
  it('observes a refusal of verify, with an empty request', async () => {
    const seen: unknown[] = []
    const { authenticator } = await scene({
      onRefused: (error, request) => {
        seen.push([error.code, request])
        throw new Error('observer')
      },
    })
    expect(authenticator.verify('x')).toMatchObject({ ok: false })
    expect(seen).toEqual([['ERR_TOKEN_MALFORMED', { method: '', url: '', headers: {} }]])
  })
})

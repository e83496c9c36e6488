import {
  audience,
  authenticate,
  startAuthenticator,
  startIssuer,
  startRegistry,
  verdict,
} from '@jwks-auth/test-support/start'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, expect, it } from 'vitest'
import { type JwksAuthOptions, tenantFromHeader } from '../../src/index.ts'

async function scene(options: Partial<JwksAuthOptions> = {}) {
  const issuer = await startIssuer()
  const { jwksUri } = issuer
  const given = { issuer: issuer.issuer, jwksUri, audience, ...options } as JwksAuthOptions
  return { issuer, authenticator: startAuthenticator(given) }
}

const anonymous = { method: 'GET', url: '/', headers: {} }

describe('an authenticated request', () => {
  it('knows tenant, provider, claims, header, token and scopes', async () => {
    const { issuer, authenticator } = await scene()
    const token = await issuer.sign({ scope: 'read write', org: { id: 1 } })
    expect(await authenticate(authenticator, token)).toEqual({
      ok: true,
      auth: {
        tenant: 'default',
        provider: 'default',
        claims: expect.objectContaining({ iss: issuer.issuer, sub: 'user-1', org: { id: 1 } }),
        header: { alg: 'ES256', kid: 'key-1', typ: 'JWT' },
        scopes: new Set(['read', 'write']),
        expiresAt: expect.any(Number),
      },
    })
    expect(await authenticate(authenticator, token)).toMatchObject({ auth: { token } })
  })

  it.each([
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scope: ' a  b ' }, ['a', 'b']],
    [{ scope: '' }, []],
    [{ scp: 'a b' }, ['a', 'b']],
    [{ scp: ['a', 'b'] }, ['a', 'b']],
    [{ scope: ['a', '', 'b'] }, ['a', 'b']],
    [{ scp: ['a', 1, '', null, 'b'] }, ['a', 'b']],
    [{ scope: 'a', scp: 'b' }, ['a']],
    [{ scp: { a: true } }, []],
    [{}, []],
  ])('with %j has the scopes %j', async (claims, scopes) => {
    const { issuer, authenticator } = await scene()
    const outcome = await authenticate(authenticator, await issuer.sign(claims))
    expect(outcome.ok && outcome.auth && [...outcome.auth.scopes]).toEqual(scopes)
  })

  it('cannot change what a later request sees', async () => {
    const { issuer, authenticator } = await scene()
    const token = await issuer.sign({ scope: 'read', roles: ['user'] })
    const first = await authenticate(authenticator, token)
    if (!first.ok || first.auth === undefined) throw new Error('refused')
    try {
      ;(first.auth.claims as { roles: string[] }).roles.push('admin')
      ;(first.auth.scopes as Set<string>).add('write')
      Object.assign(first.auth.header, { kid: 'changed' })
    } catch {
      // What cannot be changed at all is as good.
    }
    expect(await authenticate(authenticator, token)).toMatchObject({
      auth: { claims: { roles: ['user'] }, scopes: new Set(['read']), header: { kid: 'key-1' } },
    })
  })
})

describe('a request without a token', () => {
  it('is refused', async () => {
    const { authenticator } = await scene()
    expect(await authenticator.authenticate(anonymous)).toMatchObject({
      ok: false,
      error: { code: 'ERR_TOKEN_MISSING' },
    })
  })

  it.each([{}, { authorization: 'Basic dTpw' }])('passes with credentialsRequired: false: %j', async (headers) => {
    const { authenticator } = await scene({ credentialsRequired: false })
    expect(await authenticator.authenticate({ ...anonymous, headers })).toEqual({ ok: true, auth: undefined })
  })

  it.each([{ authorization: 'Bearer' }, { authorization: 'Bearer x' }, { authorization: ['Bearer x', 'Basic x'] }])(
    'is not one with bad credentials: %j',
    async (headers) => {
      const { authenticator } = await scene({ credentialsRequired: false })
      expect(await authenticator.authenticate({ ...anonymous, headers })).toMatchObject({ ok: false })
    },
  )
})

describe('maxTokenBytes', () => {
  it('refuses a longer token unread', async () => {
    const { issuer, authenticator } = await scene({ maxTokenBytes: 600 })
    expect(await verdict(authenticator, await issuer.sign())).toBe('accepted')
    expect(await verdict(authenticator, await issuer.sign({ fill: 'x'.repeat(600) }))).toBe('ERR_TOKEN_TOO_LONG')
  })
})

describe('a schema for claims', () => {
  function schemaOf(validate: (value: unknown) => unknown): StandardSchemaV1<unknown, unknown> {
    const standard = { version: 1, vendor: 'test', validate } as StandardSchemaV1.Props<unknown, unknown>
    return { '~standard': standard }
  }

  it.each([
    ['at once', (value: unknown) => ({ value: { of: (value as { sub: string }).sub } })],
    ['later', async (value: unknown) => ({ value: { of: (value as { sub: string }).sub } })],
  ])('that answers %s makes the claims', async (_, validate) => {
    const { issuer, authenticator } = await scene({ claims: schemaOf(validate) })
    expect(await authenticate(authenticator, await issuer.sign())).toMatchObject({ auth: { claims: { of: 'user-1' } } })
  })

  it('refuses with 401, and its issues are not told', async () => {
    const { issuer, authenticator } = await scene({ claims: schemaOf(() => ({ issues: [{ message: 'secret' }] })) })
    const outcome = await authenticate(authenticator, await issuer.sign())
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_CLAIMS_REJECTED' }, response: { status: 401 } })
    expect(JSON.stringify(outcome)).not.toContain('secret')
  })

  it('sees verified claims only', async () => {
    const seen: unknown[] = []
    const { issuer, authenticator } = await scene({ claims: schemaOf((value) => seen.push(value) && { value }) })
    await verdict(authenticator, `${await issuer.sign()}A`)
    await verdict(authenticator, await issuer.sign({ exp: 1 }))
    expect(seen).toEqual([])
  })

  it('that throws is an error of the application', async () => {
    const fault = new Error('schema')
    const { issuer, authenticator } = await scene({
      claims: schemaOf(() => {
        throw fault
      }),
    })
    await expect(authenticate(authenticator, await issuer.sign())).rejects.toBe(fault)
  })
})

describe('a resolver of the application', () => {
  async function withResolver(tenant: Extract<JwksAuthOptions, { readonly tenants: object }>['tenant']) {
    const issuer = await startIssuer()
    const tenants = { acme: { issuer: issuer.issuer } }
    return { token: await issuer.sign(), authenticator: startAuthenticator({ tenant, tenants, audience }) }
  }

  it.each<[string, () => unknown, string]>([
    ['a tenant', () => 'acme', 'accepted'],
    ['a tenant later', async () => 'acme', 'accepted'],
    ['nothing', () => undefined, 'ERR_TENANT_NOT_DETERMINED'],
    ['nothing later', async () => undefined, 'ERR_TENANT_NOT_DETERMINED'],
    ['a path', () => '../acme', 'ERR_TENANT_NOT_DETERMINED'],
    ['a list', () => ['acme'], 'ERR_TENANT_NOT_DETERMINED'],
    ['null', () => null, 'ERR_TENANT_NOT_DETERMINED'],
    ['an unknown tenant', () => 'globex', 'ERR_TENANT_UNKNOWN'],
  ])('that says %s', async (_, resolve, outcome) => {
    const { token, authenticator } = await withResolver(resolve as () => string)
    expect(await verdict(authenticator, token)).toBe(outcome)
  })

  it.each([
    ['throws', () => Promise.reject(new Error('resolver'))],
    [
      'rejects',
      () => {
        throw new Error('resolver')
      },
    ],
  ])('that %s is an error of the application', async (_, resolve) => {
    const { token, authenticator } = await withResolver(resolve)
    await expect(authenticate(authenticator, token)).rejects.toThrow('resolver')
  })

  it('is not asked for a token that is no good anyhow', async () => {
    let asked = 0
    const { authenticator } = await withResolver(() => {
      asked += 1
      return 'acme'
    })
    await verdict(authenticator, 'no.token.atall')
    expect(asked).toBe(0)
  })

  it('sees the request as the adapter handed it over', async () => {
    const raw = { of: 'framework' }
    let seen: unknown
    const { token, authenticator } = await withResolver((request) => {
      seen = request
      return 'acme'
    })
    const request = { method: 'POST', url: '/a?b', headers: { authorization: `Bearer ${token}` }, raw }
    await authenticator.authenticate(request)
    expect(seen).toBe(request)
  })
})

describe('a refusal', () => {
  it('says nothing of token, host or provider', async () => {
    const { issuer, authenticator } = await scene()
    issuer.answerAlways('jwks', { kind: 'reply', status: 500, body: 'upstream-secret' })
    const token = await issuer.sign({ sub: 'token-secret' }, { kid: 'kid-secret' })
    const outcome = await authenticate(authenticator, token, { headers: { host: 'host-secret' } })
    if (outcome.ok) throw new Error('accepted')
    const said = `${JSON.stringify(outcome.response)} ${outcome.error.message} ${String(outcome.error.cause)}`
    expect(said).not.toMatch(/secret/)
    expect(said).not.toContain(token.split('.')[1])
    expect(outcome.response).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } })
  })

  it('keeps its specific error with passErrors, for logs', async () => {
    const { authenticator } = await scene({ passErrors: true })
    const outcome = await authenticate(authenticator, 'x')
    expect(authenticator.passErrors).toBe(true)
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ERR_TOKEN_MALFORMED' } })
  })
})

describe('a provider that is unregistered from a shared registry', () => {
  it('issues no tokens that count from then on', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const tenants = { acme: { issuer: issuer.issuer } }
    const authenticator = startAuthenticator({ tenant: tenantFromHeader('x-tenant'), tenants, audience, registry })
    const ask = async () => {
      const outcome = await authenticate(authenticator, await issuer.sign(), { headers: { 'x-tenant': 'acme' } })
      return outcome.ok ? 'accepted' : outcome.error.code
    }
    expect(await ask()).toBe('accepted')
    await registry.unregister('acme', 'default')
    expect(await ask()).toBe('ERR_ISSUER_NOT_ALLOWED')
  })
})

import { audience, authenticate, startAuthenticator, startIssuer } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import { type AccessTokenClaims, createAuthenticator, type JwksAuthOptions } from '../../src/index.ts'

type Options = Partial<JwksAuthOptions>

async function scene(options: Options) {
  const issuer = await startIssuer()
  const authenticator = startAuthenticator({ issuer: issuer.issuer, audience, ...options } as JwksAuthOptions)
  return {
    authenticator,
    async scopesOf(claims: Record<string, unknown>): Promise<readonly string[]> {
      const outcome = await authenticate(authenticator, await issuer.sign(claims))
      if (!outcome.ok || outcome.auth === undefined) throw new Error('refused')
      return [...outcome.auth.scopes]
    },
  }
}

describe('the option scopes', () => {
  it.each([
    ['permissions', { permissions: ['a', 'b'], scope: 'c' }, ['a', 'b']],
    ['permissions', { scope: 'c' }, []],
    [['scope', 'permissions'], { permissions: ['a', 'b'], scope: 'c a' }, ['c', 'a', 'b']],
    ['realm_access.roles', { realm_access: { roles: ['user', 'admin'] } }, ['user', 'admin']],
    ['resource_access.my.client.roles', { resource_access: { 'my.client': { roles: ['a'] } } }, ['a']],
    ['https://acme.example/roles', { 'https://acme.example/roles': ['a'] }, ['a']],
    ['https://acme.example/app.roles', { 'https://acme.example/app': { roles: ['a'] } }, ['a']],
    ['a.b', { 'a.b': 'exact', a: { b: 'nested' } }, ['exact']],
    ['a.b.c', { 'a.b': { c: 'longer' }, a: { b: { c: 'shorter' } } }, ['longer']],
    ['a.b', { a: 'text' }, []],
    ['a.b', { a: ['b'] }, []],
    ['a.b', { a: null }, []],
    ['a.length', { a: 'text' }, []],
    ['a.0', { a: ['x'] }, []],
    ['a', { a: { b: 'x' } }, []],
    ['a', { a: 7 }, []],
    ['a', { a: ['x', 7, null, ['y'], ''] }, ['x']],
    ['constructor.name', {}, []],
    ['__proto__', {}, []],
    ['realm_access.__proto__', { realm_access: {} }, []],
    ['toString', {}, []],
    ['.', { '.': 'a' }, ['a']],
    ['..a', { '': { '': { a: 'x' } } }, []],
    ['a.', { a: { '': 'x' } }, ['x']],
  ] as const)('as %j finds the scopes of %j', async (scopes, claims, expected) => {
    const { scopesOf } = await scene({ scopes })
    expect(await scopesOf(claims)).toEqual(expected)
  })

  it('may be a function of the claims as they were before the schema', async () => {
    const { scopesOf } = await scene({
      scopes: ({ role }) => (role === 'admin' ? ['read', 'write'] : ['read']),
      claims: { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { role: 'other' } }) } },
    })
    expect(await scopesOf({ role: 'admin' })).toEqual(['read', 'write'])
    expect(await scopesOf({ role: 'user' })).toEqual(['read'])
  })

  it('as a function is called once per verified token, and cannot change the claims', async () => {
    let calls = 0
    const issuer = await startIssuer()
    const authenticator = startAuthenticator({
      issuer: issuer.issuer,
      audience,
      scopes: (claims) => {
        calls += 1
        ;(claims as { sub?: string }).sub = 'other'
        ;(claims['roles'] as string[]).push('admin')
        return []
      },
    })
    const token = await issuer.sign({ roles: ['user'] })
    for (const _ of [1, 2, 3]) {
      expect(await authenticate(authenticator, token)).toMatchObject({
        auth: { claims: { sub: 'user-1', roles: ['user'] } },
      })
    }
    expect(calls).toBe(1)
  })

  it.each([
    ['nothing', () => undefined],
    ['a string', () => 'read'],
    ['a list with a number', () => ['read', 1]],
    ['a promise', async () => ['read']],
  ])('as a function that returns %s is an error of the application', async (_, scopes) => {
    const { scopesOf } = await scene({ scopes: scopes as never })
    await expect(scopesOf({})).rejects.toThrow('scopes must return an array of strings')
  })

  it('as a function that throws is an error of the application', async () => {
    const { scopesOf } = await scene({
      scopes: (_claims: AccessTokenClaims): string[] => {
        throw new Error('broken')
      },
    })
    await expect(scopesOf({})).rejects.toThrow('broken')
  })

  it.each([[7], [''], [[]], [['a', '']], [[7]], [{}], [null], [true]])('must not be %j', (scopes) => {
    const options = { issuer: 'https://issuer.example', audience, scopes } as never
    expect(() => createAuthenticator(options)).toThrow(/^scopes/)
  })
})

describe('the option impliedScopes', () => {
  it.each([
    [{ admin: ['read', 'write'] }, 'admin', ['admin', 'read', 'write']],
    [{ admin: ['write'], write: ['read'] }, 'admin', ['admin', 'write', 'read']],
    [{ a: ['b'], b: ['c'], c: ['a'] }, 'b', ['b', 'c', 'a']],
    [{ a: ['a'] }, 'a', ['a']],
    [{ admin: ['read'] }, 'user', ['user']],
    [{ admin: ['read'] }, '', []],
    [{}, 'constructor __proto__', ['constructor', '__proto__']],
    [{ 'site admin': ['read'] }, 'site admin', ['site', 'admin']],
  ])('as %j gives a token with %j the scopes %j', async (impliedScopes, scope, expected) => {
    const { scopesOf } = await scene({ impliedScopes })
    expect(await scopesOf({ scope })).toEqual(expected)
  })

  it('applies to scopes from other claims, and to names with spaces', async () => {
    const { scopesOf } = await scene({ scopes: 'roles', impliedScopes: { 'Site Admin': ['read'] } })
    expect(await scopesOf({ roles: ['Site Admin'] })).toEqual(['Site Admin', 'read'])
  })

  it('ends quickly for a chain of ten thousand that closes to a cycle', async () => {
    const length = 10_000
    const chain = Array.from({ length }, (_, at) => [`s${at}`, [`s${(at + 1) % length}`]] as const)
    const { scopesOf } = await scene({ impliedScopes: Object.fromEntries(chain) })
    expect(await scopesOf({ scope: 's0' })).toHaveLength(length)
  })

  it.each([[7], [null], [['a']], [{ a: 'b' }], [{ a: [7] }], [{ a: [''] }], [{ '': ['a'] }]])(
    'must not be %j',
    (impliedScopes) => {
      const options = { issuer: 'https://issuer.example', audience, impliedScopes } as never
      expect(() => createAuthenticator(options)).toThrow(/^impliedScopes/)
    },
  )
})

describe('the option challengeScopes', () => {
  it('is named in each 401, and enforces nothing', async () => {
    const { authenticator, scopesOf } = await scene({ challengeScopes: ['read', 'write'] })
    const bare = await authenticator.authenticate({ method: 'GET', url: '/', headers: {} })
    const malformed = await authenticate(authenticator, 'x.y.z')
    expect([bare, malformed].map((outcome) => !outcome.ok && outcome.response.headers['www-authenticate'])).toEqual([
      'Bearer realm="api", scope="read write"',
      'Bearer realm="api", error="invalid_token", error_description="The access token is not a well-formed JWT.", scope="read write"',
    ])
    expect(await scopesOf({})).toEqual([])
  })

  it('is named in no 400', async () => {
    const { authenticator } = await scene({ challengeScopes: ['read'] })
    const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers: { authorization: 'Bearer' } })
    expect(outcome).toMatchObject({ response: { status: 400 } })
    expect(!outcome.ok && outcome.response.headers['www-authenticate']).not.toContain('scope=')
  })

  it.each([[7], ['read'], [null], [['a b']], [['a"']], [['']], [[7]], [['a\n']]])(
    'must not be %j',
    (challengeScopes) => {
      const options = { issuer: 'https://issuer.example', audience, challengeScopes } as never
      expect(() => createAuthenticator(options)).toThrow(/^challengeScopes/)
    },
  )
})

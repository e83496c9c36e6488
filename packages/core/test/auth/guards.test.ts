import { describe, expect, it } from 'vitest'
import { authOf, checkGuard, recordAuthentication, scopeGuard } from '../../src/adapter.ts'
import { type Auth, createAuthenticator } from '../../src/index.ts'

const { refuse, passErrors } = createAuthenticator({ issuer: 'https://issuer.example', audience: 'api' })
const authenticator = { refuse, passErrors }
const authRequest = { method: 'GET', url: '/', headers: {} }

function authWith(...scopes: readonly string[]): Auth<unknown> {
  const header = { alg: 'ES256' }
  return { tenant: 't', provider: 'p', claims: {}, header, token: 'x', scopes: new Set(scopes), expiresAt: 0 }
}

describe('a guard for scopes', () => {
  it.each([
    [['a'], ['a', 'b'], true],
    [['a', 'b'], ['a', 'b'], true],
    [['a', 'b'], ['a'], false],
    [['a'], ['A'], false],
    [['a'], [], false],
    [['constructor'], [], false],
  ])('for %j lets %j pass: %s', (required, held, passes) => {
    const refusal = scopeGuard(required)(authWith(...held))
    expect(refusal?.code).toBe(passes ? undefined : 'ERR_SCOPE_MISSING')
  })

  it.each([[[]], [['']], [['a b']], [['a"']], [['a\\']], [['a\n']], [['ä']], [[7]], [[['a']]]])(
    'throws a TypeError for the scopes %j',
    (scopes) => {
      expect(() => scopeGuard(scopes as string[])).toThrow(TypeError)
    },
  )

  it('names the required scopes in its refusal', () => {
    expect(scopeGuard(['a', 'b'])(authWith('a'))).toMatchObject({ requiredScopes: ['a', 'b'] })
  })

  it('does not change with the list that it was created from', () => {
    const scopes = ['a']
    const guard = scopeGuard(scopes)
    scopes.push('b')
    expect(guard(authWith('a'))).toBeUndefined()
  })
})

describe('a guard on a request', () => {
  it('lets a request pass whose token has the scopes', () => {
    const request = {}
    recordAuthentication(request, authenticator, authWith('a'), authRequest)
    expect(checkGuard(request, scopeGuard(['a']))).toBeUndefined()
  })

  it.each([
    ['with a token that lacks a scope', authWith(), 403, 'ERR_SCOPE_MISSING'],
    ['without a token', undefined, 401, 'ERR_TOKEN_MISSING'],
  ] as const)('refuses a request %s', (_, auth, status, code) => {
    const request = {}
    recordAuthentication(request, authenticator, auth, authRequest)
    expect(checkGuard(request, scopeGuard(['a']))).toMatchObject({ error: { code }, response: { status } })
  })

  it('refuses with 500 where no authenticator ran', () => {
    expect(checkGuard({}, scopeGuard(['a']))).toMatchObject({
      error: { code: 'ERR_AUTHENTICATOR_NOT_RUN' },
      response: { status: 500 },
    })
  })

  it('uses the result of the last authenticator that ran', () => {
    const request = {}
    recordAuthentication(request, authenticator, authWith('a'), authRequest)
    recordAuthentication(request, authenticator, undefined, authRequest)
    expect(checkGuard(request, scopeGuard(['a']))).toMatchObject({ error: { code: 'ERR_TOKEN_MISSING' } })
  })

  it('sees what was recorded on a request that this one was derived from', () => {
    const request = {}
    recordAuthentication(request, authenticator, authWith('a'), authRequest)
    expect(checkGuard(Object.create(request) as object, scopeGuard(['a']))).toBeUndefined()
  })

  it('does not take a member of a client’s JSON for a recorded authentication', () => {
    const request = JSON.parse('{"Symbol(@jwks-auth/core: authentication)":{"auth":{"scopes":["a"]}}}') as object
    expect(checkGuard(request, scopeGuard(['a']))).toMatchObject({ error: { code: 'ERR_AUTHENTICATOR_NOT_RUN' } })
  })
})

describe('authOf', () => {
  it('returns the recorded authentication', () => {
    const request = {}
    const auth = authWith('a')
    recordAuthentication(request, authenticator, auth, authRequest)
    expect(authOf(request)).toBe(auth)
  })

  it('throws where no authenticator ran, with a stack that names the caller', () => {
    function handler(): void {
      authOf({})
    }
    expect(handler).toThrow(expect.objectContaining({ code: 'ERR_AUTHENTICATOR_NOT_RUN' }))
    expect(handler).toThrow(expect.objectContaining({ stack: expect.stringContaining('at handler') }))
  })

  it('throws what a framework answers with 401 and a challenge where there was no token', () => {
    const request = {}
    recordAuthentication(request, authenticator, undefined, authRequest)
    const headers = expect.objectContaining({ 'www-authenticate': 'Bearer realm="api"' })
    expect(() => authOf(request)).toThrow(expect.objectContaining({ status: 401, statusCode: 401, headers }))
  })
})

import { describe, expect, it } from 'vitest'
import { type Auth, checkGuard, createAuthenticator, markAuthenticated, scopeGuard } from '../../src/index.ts'

const { refuse, passErrors } = createAuthenticator({ issuer: 'https://issuer.example', audience: 'api' })
const authenticator = { refuse, passErrors }

function authWith(...scopes: readonly string[]): Auth<unknown> {
  return { tenant: 't', provider: 'p', claims: {}, header: { alg: 'ES256' }, token: 'x', scopes: new Set(scopes) }
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
    'cannot be made of %j',
    (scopes) => {
      expect(() => scopeGuard(scopes as string[])).toThrow(TypeError)
    },
  )

  it('tells in its refusal what it required', () => {
    expect(scopeGuard(['a', 'b'])(authWith('a'))).toMatchObject({ requiredScopes: ['a', 'b'] })
  })

  it('is not changed by who made it', () => {
    const scopes = ['a']
    const guard = scopeGuard(scopes)
    scopes.push('b')
    expect(guard(authWith('a'))).toBeUndefined()
  })
})

describe('a guard on a request', () => {
  it('passes where the token has the scopes', () => {
    const request = {}
    markAuthenticated(request, authenticator, authWith('a'))
    expect(checkGuard(request, scopeGuard(['a']))).toBeUndefined()
  })

  it.each([
    ['with a token that lacks a scope', authWith(), 403, 'ERR_SCOPE_MISSING'],
    ['without a token', undefined, 401, 'ERR_TOKEN_MISSING'],
  ] as const)('%s is refused', (_, auth, status, code) => {
    const request = {}
    markAuthenticated(request, authenticator, auth)
    expect(checkGuard(request, scopeGuard(['a']))).toMatchObject({ error: { code }, response: { status } })
  })

  it('that no authenticator saw is a mistake of the application', () => {
    expect(checkGuard({}, scopeGuard(['a']))).toMatchObject({
      error: { code: 'ERR_AUTHENTICATOR_NOT_RUN' },
      response: { status: 500 },
    })
  })

  it('goes by the last authenticator that ran', () => {
    const request = {}
    markAuthenticated(request, authenticator, authWith('a'))
    markAuthenticated(request, authenticator, undefined)
    expect(checkGuard(request, scopeGuard(['a']))).toMatchObject({ error: { code: 'ERR_TOKEN_MISSING' } })
  })

  it('cannot be told that it passed by what a client sends', () => {
    const request = JSON.parse('{"Symbol(@jwks-auth/core: authenticated)":{"auth":{"scopes":["a"]}}}') as object
    expect(checkGuard(request, scopeGuard(['a']))).toMatchObject({ error: { code: 'ERR_AUTHENTICATOR_NOT_RUN' } })
  })
})

import { describe, expect, it } from 'vitest'
import {
  anyScopeGuard,
  authenticationGuard,
  authGuard,
  authOf,
  checkGuard,
  claimsGuard,
  guardsAmong,
  markGuard,
  recordAuthentication,
  scopeGuard,
} from '../../src/adapter.ts'
import { type Auth, createAuthenticator } from '../../src/index.ts'

const authenticator = createAuthenticator({ issuer: 'https://issuer.example', audience: 'api' })
const authRequest = { method: 'GET', url: '/', headers: {} }

function authWith(...scopes: readonly string[]): Auth<unknown> {
  return authOfClaims({}, scopes)
}

function authOfClaims(claims: unknown, scopes: readonly string[] = []): Auth<unknown> {
  const header = { alg: 'ES256' }
  return { tenant: 't', provider: 'p', claims, header, token: 'x', scopes: new Set(scopes), expiresAt: 0 }
}

function challengeOf(refusal: ReturnType<typeof checkGuard>): string | undefined {
  return refusal?.response.headers['www-authenticate']
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
    const refusal = scopeGuard(required).check(authWith(...held), 0)
    expect(refusal?.code).toBe(passes ? undefined : 'ERR_SCOPE_MISSING')
  })

  it.each([[[]], [['']], [['a b']], [['a"']], [['a\\']], [['a\n']], [['ä']], [[7]], [[['a']]]])(
    'throws a TypeError for the scopes %j',
    (scopes) => {
      expect(() => scopeGuard(scopes as string[])).toThrow(TypeError)
    },
  )

  it('names the required scopes in its refusal', () => {
    expect(scopeGuard(['a', 'b']).check(authWith('a'), 0)).toMatchObject({ requiredScopes: ['a', 'b'] })
  })

  it('does not change with the list that it was created from', () => {
    const scopes = ['a']
    const guard = scopeGuard(scopes)
    scopes.push('b')
    expect(guard.check(authWith('a'), 0)).toBeUndefined()
  })
})

describe('a guard for any of some scopes', () => {
  it.each([
    [['a', 'b'], ['a'], true],
    [['a', 'b'], ['b', 'c'], true],
    [['a', 'b'], ['c'], false],
    [['constructor'], [], false],
  ])('for %j lets %j pass: %s', (accepted, held, passes) => {
    const refusal = anyScopeGuard(accepted).check(authWith(...held), 0)
    expect(refusal?.code).toBe(passes ? undefined : 'ERR_SCOPE_MISSING')
  })

  it.each([[[]], [['']], [['a b']], [[7]]])('throws a TypeError for the scopes %j', (scopes) => {
    expect(() => anyScopeGuard(scopes as string[])).toThrow(/^requireAnyScope/)
  })
})

describe('a guard for claims', () => {
  it.each([
    [{ role: 'admin' }, { role: 'admin', other: 1 }, true],
    [{ role: 'admin', level: 2 }, { role: 'admin', level: 2 }, true],
    [{ role: 'admin', level: 2 }, { role: 'admin', level: 3 }, false],
    [{ verified: true }, { verified: 'true' }, false],
    [{ level: 0 }, { level: false }, false],
    [{ role: 'admin' }, { role: ['admin'] }, false],
    [{ role: 'admin' }, {}, false],
    [{ role: 'admin' }, Object.create({ role: 'admin' }), false],
    [{ role: 'admin' }, null, false],
    [{ length: 1 }, ['a'], false],
  ])('with %j lets %j pass: %s', (required, claims, passes) => {
    const refusal = claimsGuard(required).check(authOfClaims(claims), 0)
    expect(refusal?.code).toBe(passes ? undefined : 'ERR_CLAIMS_NOT_SUFFICIENT')
  })

  it('may be a function of the claims', () => {
    const guard = claimsGuard<{ readonly level: number }>(({ level }) => level > 1)
    expect(guard.check(authOfClaims({ level: 2 }), 0)).toBeUndefined()
    expect(guard.check(authOfClaims({ level: 1 }), 0)?.code).toBe('ERR_CLAIMS_NOT_SUFFICIENT')
  })

  it.each([[undefined], [1], ['yes'], [Promise.resolve(false)], [null]])(
    'throws where its function returns %j, which must not let a request pass',
    (result) => {
      expect(() => claimsGuard(() => result as never).check(authOfClaims({}), 0)).toThrow(TypeError)
    },
  )

  it.each([['route'], [undefined], [null], [7]])('throws an Error where its function throws %j', (thrown) => {
    const iterator = (function* () {})()
    const guard = claimsGuard(() => iterator.throw(thrown) as never)
    expect(() => guard.check(authOfClaims({}), 0)).toThrow(Error)
  })

  it.each([
    [{}],
    [undefined],
    [null],
    ['role'],
    [7],
    [['role']],
    [{ role: ['admin'] }],
    [{ role: null }],
    [{ a: 0.5 }],
  ])('throws a TypeError for %j', (required) => {
    expect(() => claimsGuard(required as never)).toThrow(/^requireClaims/)
  })
})

describe('a guard for the authentication of the user', () => {
  const now = 1_700_000_000_000

  it.each([
    [{ acrValues: 'gold' }, { acr: 'gold' }, true],
    [{ acrValues: ['silver', 'gold'] }, { acr: 'gold' }, true],
    [{ acrValues: 'gold' }, { acr: 'silver' }, false],
    [{ acrValues: 'gold' }, { acr: ['gold'] }, false],
    [{ acrValues: 'gold' }, {}, false],
    [{ maxAge: 60_000 }, { auth_time: now / 1000 - 60 }, true],
    [{ maxAge: 60_000 }, { auth_time: now / 1000 - 61 }, false],
    [{ maxAge: 60_000 }, { auth_time: now / 1000 + 1 }, false],
    [{ maxAge: 60_000 }, { auth_time: String(now / 1000) }, false],
    [{ maxAge: 60_000 }, {}, false],
    [{ acrValues: 'gold', maxAge: 60_000 }, { acr: 'gold', auth_time: 0 }, false],
    [{ acrValues: 'gold', maxAge: 60_000 }, { acr: 'gold', auth_time: now / 1000 }, true],
  ])('with %j lets %j pass: %s', (required, claims, passes) => {
    const refusal = authenticationGuard(required).check(authOfClaims(claims), now)
    expect(refusal?.code).toBe(passes ? undefined : 'ERR_AUTHENTICATION_INSUFFICIENT')
  })

  it('challenges with what is required, in seconds', () => {
    const request = {}
    recordAuthentication(request, authenticator, authWith(), authRequest)
    const guard = authenticationGuard({ acrValues: ['silver', 'urn:gold'], maxAge: 300_900 })
    expect(checkGuard(request, guard)).toMatchObject({
      response: { status: 401, body: expect.stringContaining('"error":"insufficient_user_authentication"') },
    })
    expect(challengeOf(checkGuard(request, guard))).toBe(
      'Bearer realm="api", error="insufficient_user_authentication", error_description="The user has to authenticate more strongly or more recently for this request.", acr_values="silver urn:gold", max_age="300"',
    )
  })

  it.each([
    [undefined],
    [{}],
    ['gold'],
    [{ acrValues: '' }],
    [{ acrValues: [] }],
    [{ acrValues: ['a b'] }],
    [{ acrValues: ['a"'] }],
    [{ maxAge: 300 }],
    [{ maxAge: '300s' }],
    [{ maxAge: -1 }],
    [{ maxage: 300_000 }],
  ])('throws a TypeError for %j', (required) => {
    expect(() => authenticationGuard(required as never)).toThrow(TypeError)
  })
})

describe('the challenge for a missing scope', () => {
  const guards = [scopeGuard(['a']), anyScopeGuard(['b', 'c']), scopeGuard(['d', 'a']), authGuard()] as const

  function scopesNamed(held: readonly string[], passing: number): string | undefined {
    const request = {}
    recordAuthentication(request, authenticator, authWith(...held), authRequest)
    for (const guard of guards.slice(0, passing)) expect(checkGuard(request, guard)).toBeUndefined()
    const guard = guards[passing] ?? guards[0]
    return /scope="([^"]*)"/.exec(challengeOf(checkGuard(request, guard, () => guards)) ?? '')?.[1]
  }

  it.each([
    [[], 0, 'a b c d'],
    [['a'], 1, 'a b c d'],
    [['a', 'c'], 2, 'a c d'],
  ])('with %j names the scopes of the whole route', (held, passing, expected) => {
    expect(scopesNamed(held, passing)).toBe(expected)
  })

  it('names those of guards that were passed where the route is not known', () => {
    const request = {}
    recordAuthentication(request, authenticator, authWith('a'), authRequest)
    checkGuard(request, scopeGuard(['a']))
    expect(challengeOf(checkGuard(request, scopeGuard(['b'])))).toContain('scope="a b"')
  })

  it('names none for a claim that is missing', () => {
    const request = {}
    recordAuthentication(request, authenticator, authWith('a'), authRequest)
    checkGuard(request, scopeGuard(['a']))
    const challenge = challengeOf(checkGuard(request, claimsGuard({ role: 'admin' }), () => guards))
    expect(challenge).toContain('error="insufficient_scope"')
    expect(challenge).not.toContain('scope="a')
  })
})

describe('guardsAmong', () => {
  it('finds marked handlers in their order, and nothing else', () => {
    const [one, other] = [scopeGuard(['a']), authGuard()]
    const handlers = [markGuard(() => 1, one), () => 2, undefined, null, 'text', {}, markGuard(() => 3, other)]
    expect(guardsAmong(handlers)).toEqual([one, other])
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

import { startAuthenticator, startIssuer, startRegistry } from '@jwks-auth/test-support/start'
import { describe, expect, it } from 'vitest'
import {
  createAuthenticator,
  type TokenSource,
  tenantFromHeader,
  tokenFromCookie,
  tokenFromHeader,
} from '../../../src/index.ts'
import { authOf, setTokenScene, verdictOf } from './token-scene.ts'

describe('a token that was verified', () => {
  it('is accepted again at once, without a signature check', async () => {
    const { issuer, ask, checks } = await setTokenScene()
    const token = await issuer.sign({ scope: 'read write', org: { id: 1 }, roles: ['a'] })
    const first = await ask(token)
    expect(checks()).toBe(1)
    expect(ask(token)).toEqual(first)
    expect(checks()).toBe(0)
  })

  it.each<[string, TokenSource, (token: string) => Record<string, string>]>([
    ['a cookie', tokenFromCookie('token'), (token) => ({ cookie: `token=${token}` })],
    ['a function of the application', ({ headers }) => headers['x-token'] as string, (token) => ({ 'x-token': token })],
    ['a header in lower case', tokenFromHeader(), (token) => ({ authorization: `bearer ${token}` })],
    ['a header with more spaces', tokenFromHeader(), (token) => ({ authorization: `Bearer   ${token}` })],
  ])('is known from %s, too', async (_, getToken, headersFor) => {
    const { issuer, ask } = await setTokenScene({ getToken })
    const headers = headersFor(await issuer.sign())
    const first = await ask('', headers)
    expect(first.ok).toBe(true)
    expect(ask('', headers)).toEqual(first)
  })

  it('still has Cache-Control: private where it came in a cookie', async () => {
    const { issuer, ask } = await setTokenScene({ getToken: tokenFromCookie('token') })
    const headers = { cookie: `token=${await issuer.sign()}` }
    await ask('', headers)
    expect(ask('', headers)).toMatchObject({ headers: { 'cache-control': 'private' } })
  })

  it('is verified once, however many requests come with it at first', async () => {
    const { issuer, ask, checks } = await setTokenScene()
    const token = await issuer.sign()
    const outcomes = await Promise.all(Array.from({ length: 20 }, async () => await ask(token)))
    expect(outcomes.map(verdictOf)).toEqual(outcomes.map(() => 'accepted'))
    expect(checks()).toBe(1)
    const auths = outcomes.map(authOf)
    expect(new Set(auths.map(({ claims }) => claims)).size).toBe(auths.length)
  })

  it('that fails is refused to all who came with it at once, and tried again by the next', async () => {
    const { issuer, ask, verdict, checks } = await setTokenScene()
    await ask(await issuer.sign())
    checks()
    const forged = (await issuer.sign()).replace(/.{6}$/, 'AAAAAA')
    const outcomes = await Promise.all([verdict(forged), verdict(forged), verdict(forged)])
    expect(outcomes).toEqual(outcomes.map(() => 'ERR_SIGNATURE_INVALID'))
    expect(checks()).toBe(1)
    await ask(forged)
    expect(checks()).toBe(1)
  })

  it('waits for keys within the time limit of each request that brings it', async () => {
    const retryPolicy = { maxRetries: 0, attemptTimeout: 8_000, deadline: 8_000 }
    const { clock, issuer, ask } = await setTokenScene({
      scene: { provider: { retryPolicy } },
      rules: { retryPolicy },
    })
    issuer.setHeaders('jwks', { 'cache-control': 'max-age=120' })
    const old = await issuer.sign()
    await ask(old)
    await clock.advance(100_000)
    issuer.answerAlways('jwks', { kind: 'hang' })
    // Its keys are due, so that it starts a refresh, which hangs.
    expect(verdictOf(await ask(old))).toBe('accepted')
    await issuer.rotate({ keepPrevious: true })
    const token = await issuer.sign()
    const first = ask(token)
    await issuer.waitForRequests(2, 'jwks')
    await clock.advance(7_600)
    const second = ask(token)
    issuer.answerNormally('jwks')
    await clock.advance(400)
    // The first one's time is over with the refresh; the second has 7.6 s left, and a refetch brings the key.
    expect(verdictOf(await first)).toBe('ERR_KEYS_UNAVAILABLE')
    expect(verdictOf(await second)).toBe('accepted')
  })

  it('does not lend its end to another one', async () => {
    const { issuer, ask, verdict, checks } = await setTokenScene()
    const token = await issuer.sign({ sub: 'mallory' })
    await ask(token)
    const [header, payload, signature] = token.split('.')
    const claims = { ...JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()), sub: 'alice' }
    const forged = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
    checks()
    expect(await verdict(forged)).toBe('ERR_SIGNATURE_INVALID')
    expect(checks()).toBe(1)
    expect(verdictOf(ask(token))).toBe('accepted')
    expect(checks()).toBe(0)
  })

  it('is not known to another authenticator', async () => {
    const { issuer, registry, registration, ask, checks } = await setTokenScene()
    const token = await issuer.sign()
    await ask(token)
    const { tenant, provider, issuer: iss = [], ...config } = registration
    const other = createAuthenticator({
      registry,
      tenants: { [tenant]: { providers: { [provider]: { ...config, issuer: iss, audience: 'another' } } } },
      tenant: () => tenant,
    })
    const outcome = await other.authenticate({ method: 'GET', url: '/', headers: { authorization: `Bearer ${token}` } })
    expect(verdictOf(outcome)).toBe('ERR_AUDIENCE_NOT_ALLOWED')
    expect(checks()).toBe(1)
  })

  it('that came twice in one request is refused all the same', async () => {
    const { issuer, authenticator, ask } = await setTokenScene()
    const token = await issuer.sign()
    await ask(token)
    const headers = { 'x-tenant': 'acme', authorization: [`Bearer ${token}`, `Bearer ${token}`] }
    const outcome = await authenticator.authenticate({ method: 'GET', url: '/', headers })
    expect(verdictOf(outcome)).toBe('ERR_AUTHORIZATION_MALFORMED')
  })

  it('is refused by its times, tolerance included, as on its first use', async () => {
    const { issuer, clock, ask, verdict } = await setTokenScene({
      rules: { clockTolerance: 5_000, maxTokenAge: 60_000 },
    })
    const now = Math.floor(clock.now() / 1000)
    const expiring = await issuer.sign({ iat: now, exp: now + 30 })
    const ageing = await issuer.sign({ iat: now, exp: now + 3_600 })
    for (const token of [expiring, ageing]) await ask(token)
    await clock.advance(34_999)
    expect([verdictOf(ask(expiring)), verdictOf(ask(ageing))]).toEqual(['accepted', 'accepted'])
    await clock.advance(1)
    expect(await verdict(expiring)).toBe('ERR_TOKEN_EXPIRED')
    await clock.advance(30_000)
    expect(verdictOf(ask(ageing))).toBe('accepted')
    await clock.advance(1)
    expect(await verdict(ageing)).toBe('ERR_TOKEN_TOO_OLD')
    clock.set(clock.now() - 200_000)
    expect(await verdict(ageing)).toBe('ERR_TOKEN_ISSUED_IN_FUTURE')
  })
})

describe('the tenant of a request', () => {
  async function shared() {
    const issuer = await startIssuer()
    const asked: (string | undefined)[] = []
    const authenticator = startAuthenticator({
      tenants: {
        acme: { issuer: issuer.issuer, audience: 'acme' },
        globex: { issuer: issuer.issuer, audience: 'globex' },
      },
      tenant: (request) => {
        const tenant = tenantFromHeader('x-tenant')(request)
        asked.push(tenant as string | undefined)
        return tenant
      },
    })
    const ask = (token: string, tenant: string) =>
      authenticator.authenticate({
        method: 'GET',
        url: '/',
        headers: { 'x-tenant': tenant, authorization: `Bearer ${token}` },
      })
    return { issuer, ask, asked }
  }

  it('is asked for each time, and another tenant’s token is refused there', async () => {
    const { issuer, ask, asked } = await shared()
    const token = await issuer.sign({ aud: 'acme' })
    await ask(token, 'acme')
    expect(verdictOf(await ask(token, 'globex'))).toBe('ERR_AUDIENCE_NOT_ALLOWED')
    expect(verdictOf(await ask(token, 'unknown'))).toBe('ERR_TENANT_UNKNOWN')
    expect(verdictOf(await ask(token, '../acme'))).toBe('ERR_TENANT_NOT_DETERMINED')
    expect(verdictOf(ask(token, 'acme'))).toBe('accepted')
    expect(asked).toEqual(['acme', 'globex', 'unknown', '../acme', 'acme'])
  })

  it('is what a token for two tenants is accepted for', async () => {
    const { issuer, ask } = await shared()
    const token = await issuer.sign({ aud: ['acme', 'globex'] })
    for (const tenant of ['acme', 'globex', 'acme']) {
      expect(await ask(token, tenant)).toMatchObject({ ok: true, auth: { tenant } })
    }
    expect(authOf(ask(token, 'acme')).tenant).toBe('acme')
  })

  it('is waited for where it takes time', async () => {
    const issuer = await startIssuer()
    const options = { tenants: { acme: { issuer: issuer.issuer } }, audience: 'https://api.example' }
    const authenticator = startAuthenticator({ ...options, tenant: async () => 'acme' })
    const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${await issuer.sign()}` } }
    await authenticator.authenticate(request)
    const second = authenticator.authenticate(request)
    expect(second).toBeInstanceOf(Promise)
    expect(await second).toMatchObject({ ok: true, auth: { tenant: 'acme' } })
  })

  it('that is waited for past the token’s end finds it expired', async () => {
    let answer = Promise.resolve('acme')
    const { issuer, clock, ask } = await setTokenScene({ tenant: () => answer, rules: { clockTolerance: 0 } })
    const token = await issuer.sign({ exp: Math.floor(clock.now() / 1000) + 60 })
    expect(verdictOf(await ask(token))).toBe('accepted')
    let goOn = (_tenant: string): void => undefined
    answer = new Promise((resolve) => (goOn = resolve))
    const waiting = ask(token)
    await clock.advance(60_000)
    goOn('acme')
    expect(verdictOf(await waiting)).toBe('ERR_TOKEN_EXPIRED')
  })
})

describe('a provider that was unregistered', () => {
  it('has no tokens that count, also those that were verified', async () => {
    const issuer = await startIssuer()
    const registry = startRegistry()
    const authenticator = startAuthenticator({
      registry,
      tenant: () => 'acme',
      tenants: { acme: { issuer: issuer.issuer } },
      audience: 'https://api.example',
    })
    const request = { method: 'GET', url: '/', headers: { authorization: `Bearer ${await issuer.sign()}` } }
    await authenticator.authenticate(request)
    expect(verdictOf(authenticator.authenticate(request))).toBe('accepted')
    await registry.unregister('acme', 'default')
    expect(verdictOf(await authenticator.authenticate(request))).toBe('ERR_ISSUER_NOT_ALLOWED')
  })
})

describe('tokenCache', () => {
  it('false verifies each time, each request by itself', async () => {
    const { issuer, ask, verdict, checks } = await setTokenScene({ tokenCache: false })
    const token = await issuer.sign()
    await ask(token)
    checks()
    expect(await Promise.all([verdict(token), verdict(token), verdict(token)])).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ])
    expect(checks()).toBe(3)
  })

  it('max drops the token that was not used for longest', async () => {
    const { issuer, ask, checks } = await setTokenScene({ tokenCache: { max: 2 } })
    const [one, two, three] = await Promise.all(['1', '2', '3'].map((sub) => issuer.sign({ sub })))
    for (const token of [one, two, one, three]) await ask(token ?? '')
    checks()
    expect([one, three].map((token) => verdictOf(ask(token ?? '')))).toEqual(['accepted', 'accepted'])
    expect(checks()).toBe(0)
    expect(verdictOf(ask(two ?? ''))).toBe('accepted')
    expect(checks()).toBe(1)
  })

  it('maxBytes counts claims, and not by the length of their text', async () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`c${index}`, [1]]))
    const { issuer, ask, checks } = await setTokenScene({ tokenCache: { maxBytes: 30_000 } })
    const [slim, costly] = await Promise.all([issuer.sign({ fill: 'x'.repeat(3_500) }), issuer.sign({ many })])
    expect(slim.length).toBeGreaterThan(costly.length)
    for (const token of [costly, slim]) await ask(token)
    checks()
    expect(verdictOf(ask(slim))).toBe('accepted')
    expect(checks()).toBe(0)
    expect(verdictOf(ask(costly))).toBe('accepted')
    expect(checks()).toBe(1)
  })

  it('does not keep claims that nest too deeply to be copied', async () => {
    const { issuer, ask, verdict, checks } = await setTokenScene()
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
    const token = await issuer.sign({ deep: nested(1_000) })
    expect(await Promise.all([verdict(token), verdict(token)])).toEqual(['accepted', 'accepted'])
    checks()
    expect(verdictOf(await ask(token))).toBe('accepted')
    expect(checks()).toBe(1)
  })
})

import { describe, expect, it } from 'vitest'
import { startLookup } from './lookup-scene.ts'

const MINUTE = 60_000

describe('a tenant that is looked up', () => {
  it('is accepted, and looked up once for as long as ttl', async () => {
    const { clock, sign, verdict, lookUps } = await startLookup()
    for (let minute = 0; minute < 5; minute += 1) {
      expect(await verdict('acme', await sign())).toBe('accepted')
      await clock.advance(MINUTE - 1)
    }
    expect(lookUps).toEqual(['acme'])
  })

  it('is known by its id in auth, and its provider by name', async () => {
    const scene = await startLookup()
    scene.rows.set('globex', { providers: { okta: scene.rows.get('acme') } })
    scene.rows.delete('acme')
    expect(await scene.outcome('globex', await scene.sign())).toMatchObject({
      ok: true,
      auth: { tenant: 'globex', provider: 'okta' },
    })
  })

  it('is accepted without a promise where the lookup returns none and keys are in memory', async () => {
    const scene = await startLookup()
    scene.override = (tenant) => scene.rows.get(tenant)
    const request = { method: 'GET', url: '/', headers: { 'x-tenant': 'acme', authorization: '' } }
    const ask = async () => {
      const authorization = `Bearer ${await scene.sign({ jti: String(Math.random()) })}`
      return scene.authenticator.authenticate({ ...request, headers: { ...request.headers, authorization } })
    }
    await ask()
    await scene.clock.advance(6 * MINUTE)
    const token = await scene.sign()
    const outcome = scene.authenticator.authenticate({
      ...request,
      headers: { ...request.headers, authorization: `Bearer ${token}` },
    })
    expect(outcome).not.toBeInstanceOf(Promise)
    expect(outcome).toMatchObject({ ok: true })
    expect(scene.lookUps).toEqual(['acme', 'acme'])
  })

  it('with an unchanged configuration keeps its keys without a fetch when it is looked up again', async () => {
    const { clock, issuer, rows, sign, verdict, lookUps } = await startLookup({ prefetch: 'never', minTtl: 3_600_000 })
    expect(await verdict('acme', await sign())).toBe('accepted')
    await clock.advance(6 * MINUTE)
    // Equal, but another object, as databases return it.
    rows.set('acme', structuredClone(rows.get('acme')))
    expect(await verdict('acme', await sign())).toBe('accepted')
    expect(lookUps).toEqual(['acme', 'acme'])
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('whose claim rules alone change keeps its keys, and its cached tokens are checked by the new rules', async () => {
    const { clock, issuer, rows, sign, verdict } = await startLookup({ prefetch: 'never', minTtl: 3_600_000 })
    const token = await sign({ exp: Math.floor(clock.now() / 1000) + 3_600 })
    expect(await verdict('acme', token)).toBe('accepted')
    rows.set('acme', { ...(rows.get('acme') as object), audience: 'https://other.example' })
    await clock.advance(5 * MINUTE)
    expect(await verdict('acme', token)).toBe('ERR_AUDIENCE_NOT_ALLOWED')
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('whose issuer changes stops accepting the old one after ttl, cached tokens included', async () => {
    const { clock, issuer, rows, sign, verdict } = await startLookup()
    const exp = Math.floor(clock.now() / 1000) + 3_600
    const old = await sign({ exp })
    const next = await sign({ exp, iss: 'https://next.example' })
    expect(await verdict('acme', old)).toBe('accepted')
    rows.set('acme', { issuer: 'https://next.example', jwksUri: issuer.jwksUri })
    await clock.advance(5 * MINUTE - 1)
    expect(await verdict('acme', old)).toBe('accepted')
    await clock.advance(1)
    expect(await verdict('acme', old)).toBe('ERR_ISSUER_NOT_ALLOWED')
    expect(await verdict('acme', next)).toBe('accepted')
  })

  it('whose key set moves is fetched from the new place', async () => {
    const { clock, issuer, rows, sign, verdict } = await startLookup()
    const exp = Math.floor(clock.now() / 1000) + 3_600
    expect(await verdict('acme', await sign({ exp }))).toBe('accepted')
    rows.set('acme', { issuer: issuer.issuer, jwksUri: `${issuer.jwksUri}?moved` })
    await clock.advance(5 * MINUTE)
    expect(await verdict('acme', await sign({ exp }))).toBe('accepted')
    expect(issuer.requests.filter(({ url }) => url.includes('moved'))).toHaveLength(1)
  })

  it('that is removed is refused at its next lookup, cached tokens included, and leaves the registry', async () => {
    const { authenticator, clock, rows, sign, verdict } = await startLookup()
    const token = await sign({ exp: Math.floor(clock.now() / 1000) + 3_600 })
    expect(await verdict('acme', token)).toBe('accepted')
    expect(authenticator.registry.statuses()).toHaveLength(1)
    rows.delete('acme')
    await clock.advance(5 * MINUTE)
    expect(await verdict('acme', token)).toBe('ERR_TENANT_UNKNOWN')
    expect(authenticator.registry.statuses()).toEqual([])
  })

  it.each([[undefined], [null]])(
    'is unknown where the lookup returns %s, for as long as negativeTtl',
    async (nothing) => {
      const scene = await startLookup()
      scene.rows.set('acme', nothing)
      const token = await scene.sign()
      expect(await scene.verdict('acme', token)).toBe('ERR_TENANT_UNKNOWN')
      await scene.clock.advance(9_999)
      expect(await scene.verdict('acme', token)).toBe('ERR_TENANT_UNKNOWN')
      expect(scene.lookUps).toEqual(['acme'])
      scene.rows.set('acme', { issuer: scene.issuer.issuer, jwksUri: scene.issuer.jwksUri })
      await scene.clock.advance(1)
      expect(await scene.verdict('acme', token)).toBe('accepted')
    },
  )

  it('is looked up again by a step of the wall clock as well: a suspended machine', async () => {
    const { clock, sign, verdict, lookUps } = await startLookup()
    expect(await verdict('acme', await sign())).toBe('accepted')
    clock.set(clock.now() + 5 * MINUTE)
    expect(await verdict('acme', await sign())).toBe('accepted')
    expect(lookUps).toEqual(['acme', 'acme'])
  })

  it('is not kept longer by a step of the wall clock backwards', async () => {
    const { clock, sign, rows, verdict } = await startLookup({ clockTolerance: 100 * MINUTE })
    expect(await verdict('acme', await sign())).toBe('accepted')
    rows.delete('acme')
    clock.set(clock.now() - 60 * MINUTE)
    await clock.advance(5 * MINUTE)
    expect(await verdict('acme', await sign())).toBe('ERR_TENANT_UNKNOWN')
  })
})

describe('a lookup', () => {
  it.each([
    ['no name of a tenant', '../acme', {}],
    ['an expired token', 'acme', { exp: 1 }],
    ['a token without iss', 'acme', { iss: undefined }],
  ])('is not made for %s', async (_, tenant, claims) => {
    const { lookUps, sign, verdict } = await startLookup()
    expect(await verdict(tenant, await sign(claims))).not.toBe('accepted')
    expect(lookUps).toEqual([])
  })

  it.each([
    ['no token', undefined],
    ['no JWT', 'Bearer no.token.atall'],
    ['a symmetric algorithm', `Bearer ${Buffer.from('{"alg":"HS256"}').toString('base64url')}.e30.AAAA`],
  ])('is not made for a request with %s', async (_, authorization) => {
    const { authenticator, lookUps } = await startLookup()
    const headers = { 'x-tenant': 'acme', authorization }
    expect(await authenticator.authenticate({ method: 'GET', url: '/', headers })).toMatchObject({ ok: false })
    expect(lookUps).toEqual([])
  })

  it('is one for all requests that wait for it', async () => {
    const { lookUps, sign, verdict } = await startLookup()
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, jti) => sign({ jti: String(jti) })))
    expect(new Set(await Promise.all(tokens.map((token) => verdict('acme', token))))).toEqual(new Set(['accepted']))
    expect(lookUps).toEqual(['acme'])
  })
})

describe('invalidateTenant', () => {
  it('has a tenant looked up at its next request', async () => {
    const { authenticator, rows, sign, verdict } = await startLookup()
    expect(await verdict('acme', await sign())).toBe('accepted')
    rows.delete('acme')
    expect(await verdict('acme', await sign())).toBe('accepted')
    authenticator.invalidateTenant('acme')
    expect(await verdict('acme', await sign())).toBe('ERR_TENANT_UNKNOWN')
  })

  it('ends the memory of an id that no tenant had', async () => {
    const { authenticator, rows, issuer, sign, verdict } = await startLookup()
    expect(await verdict('globex', await sign())).toBe('ERR_TENANT_UNKNOWN')
    rows.delete('acme')
    rows.set('globex', { issuer: issuer.issuer, jwksUri: issuer.jwksUri })
    authenticator.invalidateTenant('globex')
    expect(await verdict('globex', await sign())).toBe('accepted')
  })

  it('during a lookup has its result replaced by that of another one', async () => {
    const scene = await startLookup()
    const answers: ((config: unknown) => void)[] = []
    scene.override = () => new Promise((resolve) => answers.push(resolve))
    const asking = scene.verdict('acme', await scene.sign())
    scene.authenticator.invalidateTenant('acme')
    answers[0]?.(scene.rows.get('acme'))
    await expect.poll(() => answers.length).toBe(2)
    answers[1]?.(undefined)
    expect(await asking).toBe('ERR_TENANT_UNKNOWN')
  })

  it('keeps the last configuration while the lookup fails', async () => {
    const scene = await startLookup()
    expect(await scene.verdict('acme', await scene.sign())).toBe('accepted')
    scene.authenticator.invalidateTenant('acme')
    scene.override = () => Promise.reject(new Error('down'))
    expect(await scene.verdict('acme', await scene.sign())).toBe('accepted')
    expect(scene.lookUps).toHaveLength(2)
  })

  it.each([undefined, 1, '', '../acme'])('refuses %j', async (name) => {
    const { authenticator } = await startLookup()
    expect(() => authenticator.invalidateTenant(name as string)).toThrow(TypeError)
  })
})

describe('a tenant whose provider is unregistered by the application', () => {
  it('is looked up again, and registered anew', async () => {
    const { authenticator, sign, verdict, lookUps } = await startLookup()
    const token = await sign()
    expect(await verdict('acme', token)).toBe('accepted')
    await authenticator.registry.unregister('acme', 'default')
    expect(await verdict('acme', token)).toBe('accepted')
    expect(lookUps).toHaveLength(2)
  })
})

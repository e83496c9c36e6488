import { describe, expect, it } from 'vitest'
import { atOnce, nextEvent, provider, rejectionOf, setScene, startAuthenticator, tenant } from './scene.ts'

describe('a refetch that meets a refresh in flight', () => {
  it('is none where the refresh brings the key', async () => {
    const { clock, issuer, registry, resolve } = await setScene()
    await resolve()
    await issuer.rotate()
    issuer.answerOnce('jwks', { kind: 'normal', delay: 30 })
    const begun = nextEvent(registry, 'fetch')
    await clock.advance(570_000)
    await begun
    expect(await resolve('key-2')).toContain('key-2')
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('follows it where the refresh does not, past caches on the way', async () => {
    const { clock, issuer, registry, resolve } = await setScene()
    await resolve()
    const old = JSON.stringify(issuer.jwks)
    await issuer.rotate()
    issuer.answerOnce('jwks', { kind: 'reply', body: old, delay: 30, headers: { 'cache-control': 'max-age=600' } })
    const begun = nextEvent(registry, 'fetch')
    await clock.advance(570_000)
    await begun
    expect(await resolve('key-2')).toContain('key-2')
    expect(issuer.requestCount('jwks')).toBe(3)
    expect(issuer.requests[2]?.headers['cache-control']).toBe('no-cache')
  })
})

describe('tokens without a kid', () => {
  it('have the keys that fit tried', async () => {
    const scene = await setScene()
    const { issuer } = scene
    await issuer.addKey()
    const authenticate = startAuthenticator(scene)
    expect(await authenticate(await issuer.sign({}, { kid: undefined, key: 'key-2' }))).toMatchObject({ ok: true })
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('cause a refetch within the budget where none fits', async () => {
    const scene = await setScene()
    const { issuer, resolve } = scene
    const authenticate = startAuthenticator(scene)
    await resolve()
    await issuer.rotate({ keepPrevious: false })
    expect(await authenticate(await issuer.sign({}, { kid: undefined }))).toMatchObject({ ok: true })
    expect(issuer.requestCount('jwks')).toBe(2)
  })
})

describe('a known kid', () => {
  it('of another algorithm costs no refetch', async () => {
    const scene = await setScene()
    const { issuer } = scene
    const authenticate = startAuthenticator(scene)
    const token = await issuer.sign({}, { header: { alg: 'RS256' }, signWith: issuer.signingKey.privateKey })
    expect(await authenticate(token)).toMatchObject({ ok: false, error: { code: 'ERR_KEY_NOT_FOUND' } })
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('that is revoked costs no refetch, and is refused at once', async () => {
    const { issuer, registry, resolve } = await setScene()
    await issuer.addKey()
    await resolve()
    await registry.revokeKey(tenant, provider, 'key-1')
    issuer.answerAlways('jwks', { kind: 'hang' })
    expect(await atOnce(rejectionOf(resolve('key-1')))).toMatchObject({ code: 'ERR_KEY_REVOKED' })
    expect(await atOnce(resolve('key-2'))).toEqual(['key-2'])
    expect(await registry.unrevokeKey(tenant, provider, 'key-1')).toBe(true)
    expect(await atOnce(resolve('key-1'))).toEqual(['key-1', 'key-2'])
  })

  it('stays revoked through a refresh that was begun before, and through registering anew', async () => {
    const { issuer, registry, registration, resolve } = await setScene()
    await issuer.addKey()
    await resolve()
    issuer.answerOnce('jwks', { kind: 'normal', delay: 30 })
    const begun = nextEvent(registry, 'fetch')
    const refreshed = registry.refresh(tenant, provider)
    await begun
    await registry.revokeKey(tenant, provider, 'key-1')
    await refreshed
    expect(await resolve()).toEqual(['key-2'])
    await registry.unregister(tenant, provider)
    await registry.register(registration)
    expect(await resolve()).toEqual(['key-2'])
  })
})

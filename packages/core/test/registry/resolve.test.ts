import { startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'

async function kidsOf(keySet: Promise<{ readonly keys: readonly { readonly kid?: string }[] }>) {
  return (await keySet).keys.map(({ kid }) => kid)
}

describe('resolve', () => {
  it('returns the public keys, as they are published', async () => {
    const issuer = await startIssuer()
    await issuer.addKey({ algorithm: 'EdDSA' })
    const registry = await startRegistryWith(issuer)
    expect(await registry.resolve('acme', 'auth0')).toEqual(issuer.jwks)
  })

  it('returns a copy of its own to each caller', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    const keySet = await registry.resolve('acme', 'auth0')
    Object.assign(keySet.keys[0] ?? {}, { x: 'changed', kid: 'changed' })
    keySet.keys.push({ kty: 'oct', k: 'AAAA' })
    expect(await registry.resolve('acme', 'auth0')).toEqual(issuer.jwks)
  })

  it('with a cached kid does not fetch', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    expect(await kidsOf(registry.resolve('acme', 'auth0', 'key-1'))).toEqual(['key-1'])
    expect(issuer.requestCount()).toBe(1)
  })

  it('with a kid that is new fetches, past the caches on the way', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    await issuer.rotate()
    expect(await kidsOf(registry.resolve('acme', 'auth0', 'key-2'))).toEqual(['key-1', 'key-2'])
    expect(issuer.requests.at(-1)?.headers).toMatchObject({ 'cache-control': 'no-cache' })
  })

  it('with a kid that does not exist rejects, and does not ask again for the cooldown', async () => {
    const clock = createManualClock()
    const issuer = await startIssuer({ clock })
    const registry = await startRegistryWith(issuer, { clock }, { prefetch: 'never' })
    const ask = () => registry.resolve('acme', 'auth0', 'unknown')
    // The set that was fetched for this request is the answer.
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    expect(issuer.requestCount()).toBe(1)
    await clock.advance(10_000)
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    await expect(ask()).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    expect(issuer.requestCount()).toBe(2)
  })

  it('with a kid that could not be looked for says that, and nothing of the kid', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    await expect(registry.resolve('acme', 'auth0', 'unknown')).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(await kidsOf(registry.resolve('acme', 'auth0'))).toEqual(['key-1'])
  })

  it.each(['', 7, null, {}])('takes no %j for a kid', async (kid) => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await expect(registry.resolve('acme', 'auth0', kid as string)).rejects.toThrow(/^kid must be/)
  })

  it('rejects where nothing can be had, with the reason as the cause', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await issuer.stop()
    await expect(registry.resolve('acme', 'auth0')).rejects.toMatchObject({
      code: 'ERR_KEYS_UNAVAILABLE',
      cause: { code: 'ERR_UPSTREAM_UNREACHABLE', cause: { code: 'ECONNREFUSED' } },
    })
  })
})

describe('refresh', () => {
  it('fetches though nothing is due, and tells what has changed', async () => {
    const issuer = await startIssuer()
    await issuer.addKey({ kid: 'stays' })
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    await issuer.addKey({ kid: 'stays' })
    expect(await registry.refresh('acme', 'auth0')).toEqual({
      ok: true,
      modified: true,
      added: ['new'],
      removed: ['key-1'],
      changed: ['stays'],
    })
  })

  it('that fails is an outcome, and the cached keys stay', async () => {
    const issuer = await startIssuer()
    const registry = await startRegistryWith(issuer)
    await registry.resolve('acme', 'auth0')
    issuer.answerAlways('jwks', { kind: 'garbage' })
    expect(await registry.refresh('acme', 'auth0')).toMatchObject({
      ok: false,
      error: { code: 'ERR_KEY_SET_MALFORMED' },
    })
    expect(await kidsOf(registry.resolve('acme', 'auth0'))).toEqual(['key-1'])
  })
})

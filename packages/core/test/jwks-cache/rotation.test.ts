import { setImmediate as macrotask } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { atOnce, nextEvent, provider, setScene, startAuthenticator, tenant, until } from './scene.ts'

const minute = 60_000

describe('a rotation under load', () => {
  it('with overlap refuses no valid token, and has none for a held key wait', async () => {
    const scene = await setScene()
    const { clock, issuer, resolve } = scene
    const authenticate = startAuthenticator(scene)
    expect(await authenticate(await issuer.sign())).toMatchObject({ ok: true })
    for (let rotation = 0; rotation < 5; rotation += 1) {
      const previous = issuer.signingKey
      await issuer.rotate()
      const tokens = await Promise.all(
        Array.from({ length: 40 }, (_, request) => issuer.sign({}, request % 2 === 0 ? { key: previous } : {})),
      )
      const held = atOnce(resolve(previous.kid))
      const outcomes = await Promise.all(tokens.map(authenticate))
      expect(outcomes.filter(({ ok }) => !ok)).toEqual([])
      expect(await held).toContain(previous.kid)
      await clock.advance(minute)
    }
  })

  it('without overlap accepts every token of the new key, and the old one until the look that drops it', async () => {
    const scene = await setScene()
    const { issuer } = scene
    const authenticate = startAuthenticator(scene)
    const old = await issuer.sign()
    expect(await authenticate(old)).toMatchObject({ ok: true })
    await issuer.rotate({ keepPrevious: false })
    expect(await authenticate(old)).toMatchObject({ ok: true })
    const tokens = await Promise.all(Array.from({ length: 40 }, () => issuer.sign()))
    const outcomes = await Promise.all(tokens.map(authenticate))
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([])
    expect(await authenticate(old)).toMatchObject({ ok: false, error: { code: 'ERR_KEY_NOT_FOUND' } })
  })
})

describe('a background refresh', () => {
  it('has no request wait, and comes once', async () => {
    const { clock, issuer, registry, resolve } = await setScene()
    await resolve()
    issuer.answerOnce('jwks', { kind: 'normal', delay: 50 })
    const refreshed = nextEvent(registry, 'refresh')
    await clock.advance(570_000)
    for (let request = 0; request < 100; request += 1) {
      expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
    }
    expect(await refreshed).toMatchObject({ reason: 'due', modified: false })
    expect(issuer.requestCount('jwks')).toBe(2)
    expect(registry.status(tenant, provider).hitRate).toBeGreaterThan(0.98)
  })

  it('that hangs has no request wait either', async () => {
    const { clock, issuer, resolve } = await setScene()
    await resolve()
    issuer.answerAlways('jwks', { kind: 'hang' })
    await clock.advance(570_000)
    await issuer.waitForRequests(2, 'jwks')
    for (let second = 0; second < 29; second += 1) {
      expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
      await clock.advance(1_000)
    }
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('that fails is not tried again by every request', async () => {
    const { clock, issuer, resolve, events } = await setScene()
    await resolve()
    await issuer.stop()
    await clock.advance(570_000)
    await until(() => events.some(({ type }) => type === 'refresh-failed'))
    for (let request = 0; request < 1_000; request += 1) await atOnce(resolve('key-1'))
    await macrotask()
    expect(events.filter(({ type }) => type === 'fetch')).toHaveLength(2)
  })

  it('swaps the set as a whole: no request sees half of it', async () => {
    const { clock, issuer, resolve } = await setScene()
    for (let key = 2; key <= 5; key += 1) await issuer.addKey()
    const before = await resolve()
    for (const { kid } of issuer.keys.slice(1)) issuer.removeKey(kid)
    for (let key = 6; key <= 9; key += 1) await issuer.addKey()
    const seen = new Set<string>()
    await clock.advance(570_000)
    await until(() => {
      void resolve().then((kids) => seen.add(kids.join()))
      return seen.size > 1
    })
    expect([...seen]).toEqual([before.join(), issuer.keys.map(({ kid }) => kid).join()])
  })
})

describe('a key that is gone', () => {
  it('has its tokens refused on the first request after the refresh that dropped it', async () => {
    const scene = await setScene()
    const { clock, issuer, registry } = scene
    const authenticate = startAuthenticator(scene)
    const token = await issuer.sign({ exp: Math.floor(clock.now() / 1000) + 7_200 })
    for (let request = 0; request < 10; request += 1) expect(await authenticate(token)).toMatchObject({ ok: true })
    await issuer.rotate({ keepPrevious: false })
    const removed = nextEvent(registry, 'key-removed')
    await clock.advance(570_000)
    expect(await removed).toMatchObject({ kid: 'key-1' })
    expect(await authenticate(token)).toMatchObject({ ok: false, response: { status: 401 } })
    await clock.advance(minute)
    expect(await authenticate(token)).toMatchObject({ ok: false, response: { status: 401 } })
  })
})

import { describe, expect, it } from 'vitest'
import { atOnce, rejectionOf, type Scene, setScene, startAuthenticator, until } from './scene.ts'

const minute = 60_000
const hour = 60 * minute

/** The most refreshes that equal jitter from 1 s to 60 s allows in a time: half of each pause at least. */
function mostAttempts(milliseconds: number): number {
  let [attempts, nextAt] = [0, 0]
  for (let whole = 1_000; nextAt <= milliseconds; whole = Math.min(60_000, whole * 2)) {
    attempts += 1
    nextAt += whole / 2
  }
  return attempts
}

const failuresIn = ({ events }: Scene): number => events.filter(({ type }) => type === 'refresh-failed').length

describe('a provider down for an hour, keys fresh for ten minutes', () => {
  it('goes unnoticed with a staleWhileError of two hours', async () => {
    const scene = await setScene({ provider: { staleWhileError: 2 * hour } })
    const { issuer, registry, resolve, status, pass } = scene
    await resolve()
    await pass(9 * minute, 10_000)
    await issuer.stop()
    for (let passed = 0; passed < hour; passed += 5_000) {
      await pass(5_000)
      expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
    }
    expect(failuresIn(scene)).toBeGreaterThan(50)
    expect(failuresIn(scene)).toBeLessThanOrEqual(mostAttempts(hour))
    expect(status()).toMatchObject({ health: 'failing', lastError: { code: 'ERR_UPSTREAM_UNREACHABLE' } })
    expect(status().staleServeRatio).toBeGreaterThan(0.8)

    await issuer.start()
    await pass(minute, 5_000)
    expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
    await pass(5_000)
    expect(status()).toMatchObject({ health: 'fresh', errorCount: 0 })
    expect(registry.status('acme', 'main').lastError).toBeUndefined()
  })

  it('makes no request wait although the provider hangs instead of refusing', async () => {
    const scene = await setScene({
      provider: { staleWhileError: 2 * hour, retryPolicy: { maxRetries: 2, jitter: 'none' } },
    })
    const { clock, issuer, resolve } = scene
    await resolve()
    issuer.answerAlways('jwks', { kind: 'hang' })
    const stopAt = clock.now() + hour
    while (clock.now() < stopAt) {
      await clock.advance(5_000)
      expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
    }
    expect(failuresIn(scene)).toBeGreaterThan(20)
    expect(failuresIn(scene)).toBeLessThanOrEqual(mostAttempts(hour))
  })

  it('reports stale keys once for each failed refresh, not for each request', async () => {
    const scene = await setScene()
    const { issuer, resolve, pass, events } = scene
    await resolve()
    await issuer.stop()
    await pass(10 * minute, 10_000)
    for (let request = 0; request < 100; request += 1) await resolve()
    const stale = events.filter(({ type }) => type === 'stale')
    expect(stale.length).toBeGreaterThan(0)
    expect(stale.length).toBeLessThanOrEqual(failuresIn(scene))
  })
})

describe('the first requests of an outage', () => {
  it('wait for one shared refresh, and are then served stale', async () => {
    const scene = await setScene({ provider: { prefetch: 'never' } })
    const { issuer, resolve, pass } = scene
    await resolve()
    await pass(11 * minute)
    await issuer.stop()
    const answers = await Promise.all(Array.from({ length: 20 }, () => resolve('key-1')))
    expect(new Set(answers.flat())).toEqual(new Set(['key-1']))
    expect(failuresIn(scene)).toBe(1)
    expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
  })
})

describe('an outage longer than a staleWhileError of 60 s', () => {
  it('is a 503 with Retry-After at once, and is over within one backoff of the recovery', async () => {
    const scene = await setScene({ provider: { staleWhileError: minute } })
    const { clock, issuer, resolve, pass, status } = scene
    const authenticate = startAuthenticator(scene)
    const answer = async () => await authenticate(await issuer.sign())
    expect(await answer()).toMatchObject({ ok: true })
    await issuer.stop()
    await pass(9 * minute + 30_000)
    while (status().health !== 'unavailable') {
      expect(await answer()).toMatchObject({ ok: true })
      await pass(1_000)
    }
    await until(() => status().state === 'empty')
    // The first request after a backoff fetches; from then on none waits.
    await answer()
    const retryAt = Date.parse(status().nextRefresh ?? '')
    const refused = await answer()
    expect(refused).toMatchObject({ ok: false, error: { code: 'ERR_KEYS_UNAVAILABLE' }, response: { status: 503 } })
    if (refused.ok) throw new Error('it was not refused')
    expect(refused.response.headers['retry-after']).toBe(String(Math.ceil((retryAt - clock.now()) / 1000)))
    expect(refused.response.headers['www-authenticate']).toBeUndefined()
    issuer.clearRequests()
    expect(await atOnce(rejectionOf(resolve()))).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })

    await issuer.start()
    expect(retryAt - clock.now()).toBeLessThanOrEqual(minute)
    // The status has whole milliseconds.
    await pass(retryAt - clock.now() + 1)
    expect(await answer()).toMatchObject({ ok: true })
    expect(issuer.requestCount('jwks')).toBe(1)
  })
})

describe('a failure before expiry', () => {
  it('costs nothing but an event', async () => {
    const scene = await setScene()
    const { issuer, resolve, pass, status } = scene
    await resolve()
    issuer.answerOnce('jwks', { kind: 'reply', status: 500 })
    await pass(570_000)
    await resolve()
    expect(failuresIn(scene)).toBe(1)
    expect(status()).toMatchObject({ health: 'failing', errorCount: 1 })
    expect(await atOnce(resolve())).toEqual(['key-1'])
    await pass(1_000)
    expect(status()).toMatchObject({ health: 'fresh', errorCount: 0 })
  })

  it('has a Retry-After obeyed while the keys are fresh, and not for longer than 60 s past that', async () => {
    const scene = await setScene({ provider: { staleWhileError: 0 } })
    const { clock, issuer, resolve, pass, status } = scene
    await resolve()
    issuer.answerOnce('jwks', { kind: 'reply', status: 429, headers: { 'retry-after': '3600' } })
    await pass(570_000)
    expect(Date.parse(status().nextRefresh ?? '')).toBe(clock.now() + minute)
    await pass(minute)
    expect(await resolve()).toEqual(['key-1'])
  })

  it('has a Retry-After obeyed for ten minutes where the keys stay fresh as long', async () => {
    const scene = await setScene({
      issuer: { cacheControl: 'max-age=7200' },
      provider: { refreshEarly: 3_600_000 },
    })
    const { clock, issuer, resolve, pass, status } = scene
    await resolve()
    issuer.answerOnce('jwks', { kind: 'reply', status: 429, headers: { 'retry-after': '3600' } })
    await pass(hour)
    expect(failuresIn(scene)).toBe(1)
    expect(Date.parse(status().nextRefresh ?? '')).toBe(clock.now() + 10 * minute)
    issuer.clearRequests()
    await resolve()
    await pass(10 * minute - 1)
    await resolve()
    expect(issuer.requestCount('jwks')).toBe(0)
    await pass(1)
    expect(issuer.requestCount('jwks')).toBe(1)
  })
})

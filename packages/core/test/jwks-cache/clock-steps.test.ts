import { type ManualClock, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { atOnce, nextEvent, rejectionOf, setScene, startAuthenticator, until } from './scene.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR
const YEAR = 365 * DAY

const sizes: readonly (readonly [name: string, milliseconds: number])[] = [
  ['a second', SECOND],
  ['an hour', HOUR],
  ['a day', DAY],
  ['a year', YEAR],
  ['twenty years', 20 * YEAR],
]
const steps = sizes.flatMap(([name, milliseconds]) => [
  [`${name} ahead`, milliseconds] as const,
  [`${name} back`, -milliseconds] as const,
])

/** Steps the wall clock alone. */
function step(clock: ManualClock, milliseconds: number): void {
  clock.set(clock.now() + milliseconds)
}

const unavailable = { code: 'ERR_KEYS_UNAVAILABLE' }
const notFound = { code: 'ERR_KEY_NOT_FOUND' }

describe('a wall clock that was ahead and is put right', () => {
  it.each(sizes.slice(1))(
    'serves keys that are fresh, although a refresh failed while it was %s ahead',
    async (_, size) => {
      const { clock, issuer, resolve } = await setScene({ provider: { staleWhileError: 0 } })
      await resolve()
      step(clock, size)
      issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
      expect(await rejectionOf(resolve())).toMatchObject(unavailable)
      step(clock, -size)
      expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
    },
  )

  it.each(sizes)('fetches when a backoff of one second is over that began %s ahead', async (_, size) => {
    const { clock, issuer, resolve } = await setScene({ provider: { prefetch: 'never', staleWhileError: 0 } })
    await resolve()
    await clock.advance(600 * SECOND)
    step(clock, size)
    issuer.answerOnce('jwks', { kind: 'reply', status: 500 })
    expect(await rejectionOf(resolve())).toMatchObject(unavailable)
    step(clock, -size)
    expect(await rejectionOf(resolve())).toMatchObject(unavailable)
    await clock.advance(SECOND)
    expect(await resolve()).toEqual(['key-1'])
  })

  it('refreshes keys fetched while it was ahead when they are due, not when it shows that time again', async () => {
    const { clock, issuer, resolve } = await setScene({ provider: { prefetch: 'never' } })
    step(clock, YEAR)
    await resolve()
    await issuer.rotate({ keepPrevious: false })
    step(clock, -YEAR)
    await clock.advance(599 * SECOND)
    expect(await atOnce(resolve())).toEqual(['key-1'])
    await clock.advance(SECOND)
    expect(await resolve()).toEqual(['key-2'])
  })

  it('does not refresh ahead too early, by a timer that was set while it was ahead', async () => {
    const { clock, issuer, registry, resolve } = await setScene()
    await resolve()
    await clock.advance(SECOND)
    await registry.refresh('acme', 'main')
    step(clock, 500 * SECOND)
    // This use sets the timer: 70 s by the wall clock.
    await resolve()
    step(clock, -500 * SECOND)
    issuer.clearRequests()
    await clock.advance(569 * SECOND)
    expect(issuer.requestCount('jwks')).toBe(0)
    const refreshed = nextEvent(registry, 'refresh')
    await clock.advance(SECOND)
    expect(await refreshed).toMatchObject({ reason: 'due' })
  })
})

describe('a wall clock that is set back', () => {
  it.each(sizes)('by %s does not extend negativeCacheTtl after a failed first fetch', async (_, size) => {
    const { clock, issuer, resolve } = await setScene()
    issuer.answerOnce('jwks', { kind: 'reply', status: 500 })
    expect(await rejectionOf(resolve())).toMatchObject(unavailable)
    step(clock, -size)
    await clock.advance(SECOND - 1)
    expect(await atOnce(rejectionOf(resolve()))).toMatchObject(unavailable)
    await clock.advance(1)
    expect(await resolve()).toEqual(['key-1'])
  })

  it.each(sizes)('by %s does not extend the cooldown after a refetch', async (_, size) => {
    const { clock, issuer, resolve } = await setScene()
    await resolve()
    expect(await rejectionOf(resolve('bogus'))).toMatchObject(notFound)
    step(clock, -size)
    await issuer.rotate()
    await clock.advance(10 * SECOND - 1)
    expect(await atOnce(rejectionOf(resolve('key-2')))).toMatchObject(notFound)
    await clock.advance(1)
    expect(await resolve('key-2')).toContain('key-2')
  })

  it.each(sizes)('by %s does not extend the memory of a refused kid', async (_, size) => {
    const { clock, issuer, resolve } = await setScene()
    await resolve()
    expect(await rejectionOf(resolve('key-2'))).toMatchObject(notFound)
    step(clock, -size)
    await issuer.rotate()
    await clock.advance(10 * SECOND)
    expect(await resolve('key-2')).toContain('key-2')
  })

  it.each(sizes)('by %s does not keep a withdrawn key in use', async (_, size) => {
    const scene = await setScene({ provider: { prefetch: 'never' } })
    const { clock, issuer, resolve } = scene
    const authenticate = startAuthenticator(scene)
    const token = await issuer.sign({ iat: 0, exp: 9_999_999_999 })
    expect(await authenticate(token)).toMatchObject({ ok: true })
    await issuer.rotate({ keepPrevious: false })
    step(clock, -size)
    await clock.advance(600 * SECOND)
    expect(await authenticate(token)).toMatchObject({ ok: false, error: notFound })
    expect(await resolve()).toEqual(['key-2'])
  })

  it.each(sizes)('by %s does not extend the stale window', async (_, size) => {
    const { clock, issuer, resolve } = await setScene({ provider: { prefetch: 'never', staleWhileError: HOUR } })
    await resolve()
    issuer.answerAlways('jwks', { kind: 'reply', status: 403 })
    step(clock, -size)
    await clock.advance(600 * SECOND)
    expect(await resolve()).toEqual(['key-1'])
    await clock.advance(HOUR - 1)
    expect(await atOnce(resolve())).toEqual(['key-1'])
    await clock.advance(1)
    expect(await rejectionOf(resolve())).toMatchObject(unavailable)
  })

  it.each(sizes)('by %s does not extend a Retry-After', async (_, size) => {
    const { clock, issuer, resolve } = await setScene()
    issuer.answerOnce('jwks', { kind: 'reply', status: 429, headers: { 'retry-after': '30' } })
    expect(await rejectionOf(resolve())).toMatchObject({ ...unavailable, retryAfter: 30 * SECOND })
    step(clock, -size)
    await clock.advance(30 * SECOND - 1)
    expect(await atOnce(rejectionOf(resolve()))).toMatchObject({ ...unavailable, retryAfter: SECOND })
    await clock.advance(1)
    expect(await resolve()).toEqual(['key-1'])
  })

  it('during a fetch does not extend its deadline', async () => {
    const { clock, issuer, resolve } = await setScene({
      provider: { retryPolicy: { maxRetries: 0, attemptTimeout: 60 * SECOND, deadline: 20 * SECOND } },
    })
    issuer.answerAlways('jwks', { kind: 'hang' })
    const refused = rejectionOf(resolve())
    await issuer.waitForRequests(1)
    step(clock, -DAY)
    await clock.advance(20 * SECOND)
    expect(await refused).toMatchObject({ ...unavailable, cause: { code: 'ERR_UPSTREAM_TIMED_OUT' } })
  })
})

describe.each(steps)('a step of %s while a request waits', (_, size) => {
  it('does not end the attempts of the fetch', async () => {
    const { clock, issuer, resolve } = await setScene({
      provider: { retryPolicy: { maxRetries: 1, initialBackoff: SECOND, jitter: 'none' } },
    })
    issuer.answerOnce('jwks', { kind: 'reply', status: 500 })
    const resolved = resolve()
    await issuer.waitForRequests(1)
    await until(() => clock.pendingTimers === 1)
    step(clock, size)
    await clock.advance(SECOND)
    expect(await resolved).toEqual(['key-1'])
  })

  it('does not end the fetch before it began, where a store is slow', async () => {
    let finish: (() => void) | undefined
    let isSlow = false
    const load = async (): Promise<void> => {
      if (isSlow) await new Promise<void>((resolve) => (finish = resolve))
    }
    const store = { ...memoryStore(), load }
    const { clock, issuer, resolve } = await setScene({ registry: { store, storeTimeout: SECOND } })
    issuer.answerOnce('jwks', { kind: 'slow-body', bytes: 100 })
    isSlow = true
    const resolved = resolve()
    await until(() => finish !== undefined)
    isSlow = false
    step(clock, size)
    finish?.()
    await issuer.waitForRequests(1)
    await clock.advance(1)
    expect(await resolved).toEqual(['key-1'])
  })

  it('does not keep an unknown kid that waited for a refresh from a refetch', async () => {
    const { clock, issuer, resolve } = await setScene({ provider: { prefetch: 'never' } })
    await resolve()
    await clock.advance(600 * SECOND)
    issuer.answerOnce('jwks', { kind: 'slow-body', bytes: 100 })
    const refreshed = resolve()
    await issuer.waitForRequests(2)
    const refetched = resolve('key-2')
    await issuer.rotate()
    step(clock, size)
    expect(await refreshed).toEqual(['key-1'])
    expect(await refetched).toContain('key-2')
  })

  it('does not change how long an event says that the fetch took', async () => {
    const { clock, issuer, registry, resolve } = await setScene()
    issuer.answerOnce('jwks', { kind: 'slow-body', bytes: 100 })
    const refreshed = nextEvent(registry, 'refresh')
    const resolved = resolve()
    await issuer.waitForRequests(1)
    step(clock, size)
    await resolved
    expect((await refreshed).duration).toBeLessThan(SECOND)
    expect((await refreshed).duration).toBeGreaterThanOrEqual(0)
  })
})

describe('a machine that was suspended, with a monotonic clock that stood still', () => {
  it('refreshes expired keys before it serves them', async () => {
    const { clock, issuer, resolve } = await setScene()
    await resolve()
    await issuer.rotate({ keepPrevious: false })
    step(clock, 600 * SECOND)
    expect(await resolve()).toEqual(['key-2'])
  })

  it('refuses keys whose stale window has ended', async () => {
    const { clock, issuer, resolve } = await setScene({ provider: { staleWhileError: HOUR } })
    await resolve()
    issuer.answerAlways('jwks', { kind: 'reply', status: 403 })
    step(clock, 600 * SECOND + HOUR)
    expect(await rejectionOf(resolve())).toMatchObject(unavailable)
  })

  it('has no backoff or cooldown from before', async () => {
    const { clock, issuer, resolve } = await setScene()
    issuer.answerOnce('jwks', { kind: 'reply', status: 429, headers: { 'retry-after': '60' } })
    expect(await rejectionOf(resolve())).toMatchObject(unavailable)
    step(clock, 60 * SECOND)
    expect(await resolve()).toEqual(['key-1'])
    expect(await rejectionOf(resolve('key-2'))).toMatchObject(notFound)
    await issuer.rotate()
    step(clock, 10 * SECOND)
    expect(await resolve('key-2')).toContain('key-2')
  })
})

describe.each(steps)('a step of %s that is put right', (_, size) => {
  it('leaves the next refresh when it was due', async () => {
    const { clock, issuer, resolve } = await setScene({ provider: { prefetch: 'never', minTtl: SECOND } })
    issuer.setHeaders('jwks', { 'cache-control': 'max-age=600' })
    await resolve()
    step(clock, size)
    await clock.advance(100 * SECOND)
    step(clock, -size)
    issuer.clearRequests()
    await clock.advance(499 * SECOND)
    expect(await atOnce(resolve())).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(0)
    await clock.advance(SECOND)
    await resolve()
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('leaves tokens accepted that were accepted before', async () => {
    const scene = await setScene()
    const authenticate = startAuthenticator(scene)
    const token = await scene.issuer.sign()
    expect(await authenticate(token)).toMatchObject({ ok: true })
    step(scene.clock, size)
    await authenticate(token)
    step(scene.clock, -size)
    expect(await authenticate(token)).toMatchObject({ ok: true })
  })
})

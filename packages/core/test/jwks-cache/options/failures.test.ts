import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { atOnce, rejectionOf, type Scene, setScene, until } from '../scene.ts'

const relaxed = { attemptTimeout: 3_600_000, deadline: 3_600_000, jitter: 'none' } as const

/** When the requests came that a cold question led to, from the first one on. */
async function requestTimes(scene: Scene, span: number, step: number): Promise<number[]> {
  const { clock, issuer, resolve } = scene
  const outcome = resolve().catch(() => undefined)
  let isOver = false
  void outcome.then(() => {
    isOver = true
  })
  for (let passed = 0; passed < span; passed += step) {
    // An attempt has two timers, the pause after it one, and who has given up none.
    await until(() => isOver || clock.pendingTimers === 1)
    await clock.advance(step)
  }
  await outcome
  const first = issuer.requests[0]?.time ?? 0
  return issuer.requests.map(({ time }) => time - first)
}

async function failingScene(retryPolicy: object): Promise<Scene> {
  const scene = await setScene({ provider: { retryPolicy: { ...relaxed, ...retryPolicy } } })
  scene.issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
  return scene
}

describe('negativeCacheTtl', () => {
  it.each([
    [undefined, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]],
    [4_000, [4_000, 8_000, 10_000, 10_000]],
  ])('of %s has a failed first fetch remembered, longer each time up to 10 s', async (negativeCacheTtl, pauses) => {
    const { clock, issuer, resolve } = await setScene({ provider: { negativeCacheTtl } })
    issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
    for (const [index, pause] of pauses.entries()) {
      const failed = await rejectionOf(resolve())
      expect(failed).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE', retryAfter: pause })
      await clock.advance(pause - 1)
      expect(await atOnce(rejectionOf(resolve()))).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
      expect(issuer.requestCount('jwks')).toBe(index + 1)
      await clock.advance(1)
    }
    issuer.answerNormally()
    expect(await resolve()).toEqual(['key-1'])
  })

  it('of 0 asks each time', async () => {
    const { issuer, resolve } = await setScene({ provider: { negativeCacheTtl: 0 } })
    issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
    for (let request = 0; request < 5; request += 1) await rejectionOf(resolve())
    expect(issuer.requestCount('jwks')).toBe(5)
  })
})

describe('unknownKidCooldown', () => {
  it.each([
    [10_000, undefined],
    [60_000, 60_000],
    [1, 1],
  ])('allows one refetch in %d ms', async (cooldown, unknownKidCooldown) => {
    const { clock, issuer, resolve } = await setScene({ provider: { unknownKidCooldown } })
    await resolve()
    await rejectionOf(resolve('bogus-1'))
    await rejectionOf(resolve('bogus-2'))
    expect(issuer.requestCount('jwks')).toBe(2)
    await clock.advance(cooldown)
    await rejectionOf(resolve('bogus-1'))
    expect(issuer.requestCount('jwks')).toBe(3)
  })
})

describe('retryPolicy', () => {
  it.each([
    [2, undefined],
    [0, 0],
    [5, 5],
  ])('maxRetries has %d retries', async (retries, maxRetries) => {
    const scene = await failingScene({ maxRetries })
    expect(await requestTimes(scene, 10_000, 250)).toHaveLength(1 + retries)
  })

  it('initialBackoff and maxBackoff bound the pauses', async () => {
    const byDefault = await failingScene({ maxRetries: 5 })
    expect(await requestTimes(byDefault, 10_000, 250)).toEqual([0, 250, 750, 1_750, 3_750, 5_750])
    const given = await failingScene({ maxRetries: 4, initialBackoff: 100, maxBackoff: 300 })
    expect(await requestTimes(given, 2_000, 100)).toEqual([0, 100, 300, 600, 900])
  })

  it.each(['none', 'full', 'decorrelated'] as const)("jitter '%s' has its kind of pauses", async (jitter) => {
    const scene = await failingScene({ maxRetries: 6, initialBackoff: 1_000, maxBackoff: 8_000, jitter })
    const times = await requestTimes(scene, 60_000, 10)
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    expect(pauses).toHaveLength(6)
    const doubling = [1_000, 2_000, 4_000, 8_000, 8_000, 8_000]
    // Ten milliseconds are the test's own step.
    expect(isDeepStrictEqual(pauses, doubling)).toBe(jitter === 'none')
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(jitter === 'full' ? 0 : 990)
      expect(pause).toBeLessThanOrEqual(jitter === 'full' ? (doubling[index] ?? 0) + 10 : 8_010)
    }
  })

  it.each([
    [3_000, undefined],
    [500, 500],
  ])('attemptTimeout gives one attempt %d ms', async (timeout, attemptTimeout) => {
    const { clock, issuer, resolve } = await setScene({ provider: { retryPolicy: { maxRetries: 0, attemptTimeout } } })
    issuer.answerAlways('jwks', { kind: 'hang' })
    let isOver = false
    const failed = rejectionOf(resolve()).finally(() => {
      isOver = true
    })
    await issuer.waitForRequests(1, 'jwks')
    await clock.advance(timeout - 1)
    expect(isOver).toBe(false)
    await clock.advance(1)
    expect(await failed).toMatchObject({ cause: { code: 'ERR_UPSTREAM_TIMED_OUT' } })
  })

  it.each([
    [8_000, undefined],
    [5_000, 5_000],
  ])('deadline gives all attempts %d ms', async (deadline, given) => {
    const { clock, issuer, resolve } = await setScene({
      provider: { retryPolicy: { maxRetries: 50, jitter: 'none', attemptTimeout: 1_000, deadline: given } },
    })
    issuer.answerAlways('jwks', { kind: 'hang' })
    const startedAt = clock.now()
    const ended = rejectionOf(resolve()).then((error) => ({ error, at: clock.now() - startedAt }))
    for (let passed = 0; passed < deadline; passed += 50) await clock.advance(50)
    const { error, at: endedAt } = await ended
    expect(error).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    // A pause that would reach past the deadline is not waited for.
    expect(endedAt).toBeLessThanOrEqual(deadline)
    expect(endedAt).toBeGreaterThan(deadline - 3_000)
  })
})

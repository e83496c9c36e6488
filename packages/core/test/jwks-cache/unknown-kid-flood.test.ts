import { setImmediate as macrotask } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { setTokenScene, verdictOf } from '../auth/token-cache/token-scene.ts'
import { atOnce, provider, rejectionOf, type Scene, setScene, startAuthenticator, tenant, until } from './scene.ts'

/** Ten thousand distinct bogus kids over ten virtual seconds; `each` sees every hundredth of a second go by. */
async function flood({ clock, resolve }: Scene, each: (millisecond: number) => Promise<void>): Promise<string[]> {
  const refusals: Promise<unknown>[] = []
  for (let millisecond = 0; millisecond < 10_000; millisecond += 10) {
    for (let request = 0; request < 10; request += 1) {
      refusals.push(rejectionOf(resolve(`bogus-${millisecond + request}`)))
    }
    await each(millisecond)
    await clock.advance(10)
  }
  return (await Promise.all(refusals)).map((error) => (error as { code: string }).code)
}

describe('10 000 distinct bogus kids over 10 s', () => {
  it('cost two upstream requests at most, and delay no valid token', async () => {
    const scene = await setScene()
    const { issuer, resolve } = scene
    await resolve()
    issuer.clearRequests()
    const codes = await flood(scene, async () => {
      expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
    })
    expect(codes).toHaveLength(10_000)
    expect(new Set(codes)).toEqual(new Set(['ERR_KEY_NOT_FOUND']))
    expect(issuer.requestCount('jwks')).toBeLessThanOrEqual(2)
    expect(issuer.requestCount('jwks')).toBeGreaterThan(0)
  })

  it('delay no valid token either while the provider hangs, and are no more than 503 then', async () => {
    const scene = await setScene({ provider: { retryPolicy: { maxRetries: 2 } } })
    const { issuer, resolve } = scene
    await resolve()
    issuer.clearRequests()
    issuer.answerAlways('jwks', { kind: 'hang' })
    const codes = await flood(scene, async () => {
      expect(await atOnce(resolve('key-1'))).toEqual(['key-1'])
    })
    expect(issuer.requestCount('jwks')).toBeLessThanOrEqual(2)
    expect(new Set(codes)).toEqual(new Set(['ERR_KEYS_UNAVAILABLE']))
  })

  it('refuse no valid token: whole requests, signatures and all', async () => {
    const scene = await setScene()
    const { clock, issuer } = scene
    const authenticate = startAuthenticator(scene)
    const valid = await issuer.sign()
    const [header = '', payload = '', signature = ''] = valid.split('.')
    expect(await authenticate(valid)).toMatchObject({ ok: true })
    issuer.clearRequests()
    for (let second = 0; second < 10; second += 1) {
      const outcomes = Array.from({ length: 100 }, (_, request) => {
        const members: unknown = JSON.parse(Buffer.from(header, 'base64url').toString())
        const kid = `bogus-${second}-${request}`
        const bogus = Buffer.from(JSON.stringify({ ...Object(members), kid })).toString('base64url')
        return authenticate(`${bogus}.${payload}.${signature}`)
      })
      expect(await authenticate(valid)).toMatchObject({ ok: true })
      for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ response: { status: 401 } })
      await clock.advance(1_000)
    }
    expect(issuer.requestCount('jwks')).toBeLessThanOrEqual(2)
  })

  it('leave nothing to wait for once the look is made', async () => {
    const { issuer, ask } = await setTokenScene()
    const [header = '', ...rest] = (await issuer.sign()).split('.')
    const bogus = (kid: string): string => {
      const members: object = JSON.parse(Buffer.from(header, 'base64url').toString())
      return [Buffer.from(JSON.stringify({ ...members, kid })).toString('base64url'), ...rest].join('.')
    }
    expect(ask(bogus('bogus-1'))).toBeInstanceOf(Promise)
    await ask(bogus('bogus-2'))
    // Both were answered by the first fetch; the budget for a refetch is not spent yet.
    expect(verdictOf(ask(bogus('bogus-1')))).toBe('ERR_KEY_NOT_FOUND')
    await ask(bogus('bogus-3'))
    expect(verdictOf(ask(bogus('bogus-4')))).toBe('ERR_KEY_NOT_FOUND')
  })

  it('keep a new key out for the cooldown at most', async () => {
    const scene = await setScene()
    const { clock, issuer, resolve } = scene
    await resolve()
    issuer.clearRequests()
    let acceptedAt: number | undefined
    let rotatedAt = 0
    const startedAt = clock.now()
    await flood(scene, async (millisecond) => {
      if (millisecond === 5_000) {
        // The look of the flood's beginning is answered; what follows is a rotation between two looks.
        await until(() => issuer.requestCount('jwks') === 1)
        rotatedAt = clock.now() - startedAt
        await issuer.rotate()
      }
      await expect(atOnce(resolve('key-1'))).resolves.toContain('key-1')
    })
    for (let waited = 0; waited < 1_000 && acceptedAt === undefined; waited += 100) {
      const isAccepted = await resolve('key-2').then(
        () => true,
        () => false,
      )
      if (isAccepted) acceptedAt = clock.now() - startedAt
      await clock.advance(100)
    }
    expect(acceptedAt).toBeLessThanOrEqual(rotatedAt + 10_000)
    expect(issuer.requestCount('jwks')).toBe(2)
  })
})

describe('a kid that is not held', () => {
  it('is looked for past edge caches, once for all who ask', async () => {
    const { issuer, resolve, events } = await setScene()
    await resolve()
    await issuer.rotate()
    const answers = await Promise.all(Array.from({ length: 100 }, () => resolve('key-2')))
    expect(new Set(answers.map((kids) => kids.join()))).toEqual(new Set(['key-1,key-2']))
    expect(issuer.requestCount('jwks')).toBe(2)
    expect(issuer.requests[1]?.headers['cache-control']).toBe('no-cache')
    expect(events.filter(({ type }) => type === 'unknown-kid')).toHaveLength(1)
  })

  it('gives its budget back once a signature has verified with the new key: one rotation a second is seen at once', async () => {
    const scene = await setScene()
    const { clock, issuer } = scene
    const authenticate = startAuthenticator(scene)
    expect(await authenticate(await issuer.sign())).toMatchObject({ ok: true })
    for (let rotation = 0; rotation < 3; rotation += 1) {
      await issuer.rotate()
      expect(await authenticate(await issuer.sign())).toMatchObject({ ok: true })
      await clock.advance(1_000)
    }
    expect(issuer.requestCount('jwks')).toBe(4)
  })

  it('does not give its budget back for new keys alone, without a signature', async () => {
    const { clock, issuer, resolve } = await setScene()
    await resolve()
    await issuer.rotate()
    expect(await resolve('key-2')).toContain('key-2')
    await clock.advance(1_000)
    await issuer.rotate()
    expect(await rejectionOf(resolve('key-3'))).toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('does not give its budget back to forged tokens that meet new material under their kid each time', async () => {
    const scene = await setScene()
    const { clock, issuer } = scene
    const authenticate = startAuthenticator(scene)
    const [header = '', payload = ''] = (await issuer.sign()).split('.')
    const forged = `${header}.${payload}.${Buffer.alloc(64, 7).toString('base64url')}`
    for (let request = 0; request < 10; request += 1) {
      await issuer.rotate({ kid: 'key-1', keepPrevious: false })
      expect(await authenticate(forged)).toMatchObject({ ok: false })
      await clock.advance(500)
    }
    expect(issuer.requestCount('jwks')).toBeLessThanOrEqual(2)
  })

  it('shares the look under way, whatever kid that is for', async () => {
    const { issuer, resolve } = await setScene()
    await resolve()
    await issuer.rotate()
    issuer.answerOnce('jwks', { kind: 'normal', delay: 20 })
    const bogus = rejectionOf(resolve('bogus'))
    expect(await resolve('key-2')).toContain('key-2')
    expect(await bogus).toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('is refused at once afterwards, never queued', async () => {
    const { issuer, resolve } = await setScene()
    await resolve()
    await rejectionOf(resolve('bogus'))
    issuer.answerAlways('jwks', { kind: 'hang' })
    expect(await atOnce(rejectionOf(resolve('bogus')))).toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    expect(await atOnce(rejectionOf(resolve('another')))).toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
  })

  it('is looked for in a backoff, too, with one attempt', async () => {
    const { clock, issuer, registry, resolve } = await setScene({ provider: { retryPolicy: { maxRetries: 2 } } })
    await resolve()
    issuer.answerAlways('jwks', { kind: 'reply', status: 404 })
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: false })
    expect(Date.parse(registry.status(tenant, provider).nextRefresh ?? '')).toBeGreaterThan(clock.now())
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    issuer.clearRequests()
    expect(await rejectionOf(resolve('bogus'))).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(issuer.requestCount('jwks')).toBe(1)
    await macrotask()
    expect(clock.pendingTimers).toBeLessThanOrEqual(1)
  })

  it('is a 503 where the refetch failed, and a 401 again once one succeeds without the key', async () => {
    const { clock, issuer, resolve } = await setScene()
    await resolve()
    await issuer.stop()
    expect(await rejectionOf(resolve('bogus'))).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(await atOnce(rejectionOf(resolve('bogus')))).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    await issuer.start()
    await clock.advance(10_000)
    expect(await rejectionOf(resolve('bogus'))).toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
  })

  it('does not put the refreshes that are due into a backoff when looking for it fails', async () => {
    const { clock, issuer, registry, resolve } = await setScene()
    await resolve()
    await issuer.stop()
    await rejectionOf(resolve('bogus'))
    const { errorCount, nextRefresh } = registry.status(tenant, provider)
    expect(errorCount).toBe(0)
    expect(Date.parse(nextRefresh ?? '')).toBe(clock.now() + 570_000)
  })
})

import { describe, expect, it } from 'vitest'
import { nextEvent, provider, rejectionOf, setScene, tenant, until } from './scene.ts'

describe('one fetch', () => {
  it('serves a thousand callers of a cold cache', async () => {
    const { issuer, resolve } = await setScene()
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => resolve()))
    expect(new Set(answers.map((kids) => kids.join()))).toEqual(new Set(['key-1']))
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('fails a thousand callers of a cold cache: none of them tries again by itself', async () => {
    const { issuer, resolve } = await setScene()
    issuer.answerAlways('jwks', { kind: 'reply', status: 500 })
    const errors = await Promise.all(Array.from({ length: 1_000 }, () => rejectionOf(resolve())))
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE', cause: { status: 500 } })
    }
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('serves a thousand callers after the expiry', async () => {
    const { issuer, resolve, pass } = await setScene({ provider: { prefetch: 'never' } })
    await resolve()
    await pass(600_000)
    await Promise.all(Array.from({ length: 1_000 }, () => resolve()))
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('serves callers with different questions, and those who come in its middle', async () => {
    const { issuer, registry, resolve } = await setScene()
    issuer.answerOnce('jwks', { kind: 'slow-body', bytes: 50 })
    const begun = nextEvent(registry, 'fetch')
    const early = [resolve(), resolve('key-1')]
    await begun
    const late = [resolve(), resolve('key-1')]
    await Promise.all([...early, ...late])
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('goes on when the caller that began it gives up', async () => {
    const { issuer, registry, resolve } = await setScene()
    issuer.answerOnce('jwks', { kind: 'normal', delay: 30 })
    const refreshed = nextEvent(registry, 'refresh')
    const givenUp = await Promise.race([resolve(), issuer.waitForRequests(1).then(() => 'gave up')])
    expect(givenUp).toBe('gave up')
    expect(await resolve()).toEqual(['key-1'])
    await refreshed
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('is at a time under way for each provider, not for all', async () => {
    const { issuer, registry, resolve } = await setScene()
    await registry.register({ tenant, provider: 'other', jwksUri: issuer.jwksUri, network: 'any' })
    await Promise.all([resolve(), resolve(), registry.resolve(tenant, 'other'), registry.resolve(tenant, 'other')])
    expect(issuer.requestCount('jwks')).toBe(2)
  })
})

describe('many fetches at once', () => {
  it('are no more than four of one tenant, and leave another tenant its place', async () => {
    const { issuer, registry } = await setScene()
    issuer.answerAlways('jwks', { kind: 'hang' })
    const waiting: Promise<unknown>[] = []
    for (let index = 0; index < 20; index += 1) {
      await registry.register({
        tenant: 'noisy',
        provider: `p${index}`,
        jwksUri: `${issuer.jwksUri}?${index}`,
        network: 'any',
      })
      waiting.push(rejectionOf(registry.resolve('noisy', `p${index}`)))
    }
    await issuer.waitForRequests(4, 'jwks')
    issuer.answerAlways('jwks', { kind: 'normal' })
    const { keys } = await registry.resolve(tenant, provider)
    expect(keys).toHaveLength(1)
    expect(issuer.requestCount('jwks')).toBe(5)
    await registry.close()
    await Promise.all(waiting)
  })

  it('make no noise about listeners', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error): unknown => warnings.push(warning)
    process.on('warning', listen)
    const { issuer, registry } = await setScene()
    const answers = Array.from({ length: 40 }, async (_, index) => {
      const other = `tenant-${index}`
      await registry.register({ tenant: other, provider, jwksUri: `${issuer.jwksUri}?${other}`, network: 'any' })
      await registry.resolve(other, provider)
    })
    await Promise.all(answers)
    await until(() => true)
    process.off('warning', listen)
    expect(warnings).toEqual([])
  })
})

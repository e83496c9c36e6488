import { describe, expect, it } from 'vitest'
import { befall, faults, recover } from './faults.ts'
import { outcomeOf, startFaultyProvider, until } from './faulty-provider.ts'

describe.each(faults)('a warm cache that is due and whose provider $name', (fault) => {
  it('serves stale, asks as often as is worth it, and is fresh once the provider is well', async () => {
    const setting = await startFaultyProvider()
    const { clock, issuer, registry, resolve, attempts, forget, status } = setting
    expect(await resolve()).toEqual(['key-1'])
    await clock.advance(600_000)
    forget()
    const end = await befall(issuer, fault)
    const callers = Promise.all(Array.from({ length: 5 }, () => resolve()))
    expect(await outcomeOf(setting, callers, fault)).toEqual(Array.from({ length: 5 }, () => ['key-1']))
    expect(attempts()).toBe(fault.attempts)
    expect(issuer.requestCount('jwks')).toBe(fault.requests + (fault.repeated ?? 0))
    expect(status()).toMatchObject({ health: 'failing', errorCount: 1, lastError: { code: fault.code } })
    // From now on no request waits, and there is no fetch before the backoff is over.
    expect(await resolve()).toEqual(['key-1'])
    expect(attempts()).toBe(fault.attempts)

    await end()
    await recover(issuer)
    await clock.advance(1_000)
    let isFresh = false
    registry.on('refresh', () => {
      isFresh = true
    })
    expect(await resolve()).toEqual(['key-1'])
    await until(() => isFresh)
    expect(status()).toMatchObject({ health: 'fresh', errorCount: 0 })
    expect(attempts()).toBe(fault.attempts + 1)
  })
})

describe('a 304 that is about something else', () => {
  it('has the next request ask for the whole document', async () => {
    const { clock, issuer, registry, resolve } = await startFaultyProvider()
    await resolve()
    issuer.answerOnce('jwks', { kind: 'reply', status: 304, headers: { etag: '"other"' } })
    await clock.advance(600_000)
    await resolve()
    expect(registry.status('acme', 'main').lastError).toMatchObject({ code: 'ERR_UPSTREAM_STATUS' })
    expect(issuer.requests[1]?.headers['if-none-match']).toBeDefined()
    await clock.advance(1_000)
    await resolve()
    await issuer.waitForRequests(3, 'jwks')
    expect(issuer.requests[2]?.headers['if-none-match']).toBeUndefined()
  })
})

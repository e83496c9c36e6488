import type { Answer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { outcomeOf, startFaultyProvider, until } from './faulty-provider.ts'

describe('a trouble that passes within one refresh', () => {
  it.each<[string, Answer]>([
    ['a 500', { kind: 'reply', status: 500 }],
    ['a reset', { kind: 'reset' }],
    ['a truncated body', { kind: 'truncated-body' }],
    ['a truncated gzip stream', { kind: 'truncated-gzip' }],
  ])('is not seen by the caller: %s', async (_, answer) => {
    const setting = await startFaultyProvider()
    const { issuer, resolve, attempts, status } = setting
    issuer.answerOnce('jwks', answer)
    expect(await outcomeOf(setting, resolve())).toEqual(['key-1'])
    expect(attempts()).toBe(2)
    expect(issuer.requestCount('jwks')).toBe(2)
    expect(status()).toMatchObject({ health: 'fresh', errorCount: 0 })
  })

  it('is not seen by the caller: a hanging first attempt', async () => {
    const { clock, issuer, resolve } = await startFaultyProvider()
    issuer.answerOnce('jwks', { kind: 'hang' })
    const answer = resolve()
    await issuer.waitForRequests(1, 'jwks')
    await clock.advance(3_000)
    await until(() => clock.pendingTimers === 1)
    await clock.advance(250)
    expect(await answer).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it.each([429, 503])('has the Retry-After of a %d obeyed, in both forms', async (status) => {
    for (const form of ['seconds', 'date']) {
      const { clock, issuer, resolve } = await startFaultyProvider()
      const value = form === 'seconds' ? '5' : new Date(clock.now() + 5_000).toUTCString()
      issuer.answerOnce('jwks', { kind: 'reply', status, headers: { 'retry-after': value } })
      const answer = resolve()
      await issuer.waitForRequests(1, 'jwks')
      await until(() => clock.pendingTimers === 1)
      await clock.advance(4_999)
      expect(issuer.requestCount('jwks')).toBe(1)
      await clock.advance(1)
      expect(await answer).toEqual(['key-1'])
    }
  })
})

describe('a Retry-After past the deadline', () => {
  it.each([
    ['seconds', 30_000],
    ['date', 30_000],
    ['seconds, longer than is obeyed', 60_000],
  ])('allows no fetch before it is over: %s', async (form, obeyed) => {
    const { clock, issuer, resolve } = await startFaultyProvider({ retryPolicy: { deadline: 8_000 } })
    const value = form === 'date' ? new Date(clock.now() + obeyed).toUTCString() : form === 'seconds' ? '30' : '86400'
    issuer.answerOnce('jwks', { kind: 'reply', status: 429, headers: { 'retry-after': value } })
    await expect(resolve()).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE', retryAfter: obeyed })
    await clock.advance(obeyed - 1)
    await expect(resolve()).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE', retryAfter: 1_000 })
    expect(issuer.requestCount('jwks')).toBe(1)
    await clock.advance(1)
    expect(await resolve()).toEqual(['key-1'])
  })
})

describe('what is slow or unusual but no fault', () => {
  it.each<[string, Answer]>([
    ['a body that trickles within the time', { kind: 'slow-body', interval: 1, bytes: 4 }],
    ['a late answer', { kind: 'normal', delay: 50 }],
    ['gzip', { kind: 'gzip' }],
    ['padding up to the limit', { kind: 'oversized-body', bytes: 1_048_576, framing: 'chunked' }],
  ])('is taken: %s', async (_, answer) => {
    const { issuer, resolve } = await startFaultyProvider()
    issuer.answerOnce('jwks', answer)
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(1)
  })
})

import { describe, expect, it } from 'vitest'
import { befall, faults, recover } from './faults.ts'
import { openSockets, outcomeOf, startFaultyProvider, until } from './faulty-provider.ts'

describe.each(faults)('a cold cache whose provider $name', (fault) => {
  it('refuses, asks as often as is worth it, and works once the provider is well', async () => {
    const setting = await startFaultyProvider()
    const { clock, issuer, resolve, attempts, status } = setting
    const end = await befall(issuer, fault)
    const callers = Promise.all(Array.from({ length: 5 }, async () => await resolve().catch((error: unknown) => error)))
    const answers = await outcomeOf(setting, callers, fault)
    expect(answers).toHaveLength(5)
    for (const answer of answers as unknown[]) {
      expect(answer).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE', cause: { code: fault.code } })
    }
    expect(attempts()).toBe(fault.attempts)
    expect(issuer.requestCount('jwks')).toBe(fault.requests)
    expect(status()).toMatchObject({
      state: 'empty',
      health: 'unavailable',
      errorCount: 1,
      lastError: { code: fault.code },
    })
    expect(clock.pendingTimers).toBe(0)

    await end()
    await recover(issuer)
    await clock.advance(1_000)
    expect(await resolve()).toEqual(['key-1'])
    expect(status()).toMatchObject({ state: 'ready', health: 'fresh', errorCount: 0 })
  })

  it('leaves no timer and no socket behind when it is closed in the middle of it', async () => {
    const before = openSockets()
    const { clock, issuer, registry, resolve, attempts } = await startFaultyProvider()
    const end = await befall(issuer, fault)
    const refused = resolve().catch((error: unknown) => error)
    await until(() => attempts() === 1)
    await registry.close()
    await end()
    expect(await refused).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(clock.pendingTimers).toBe(0)
    await issuer.close()
    await until(() => openSockets() <= before)
  })
})

import { describe, expect, it } from 'vitest'
import { provider, rejectionOf, setScene, tenant, unhurried, until } from './scene.ts'

describe('more key sets than maxProviders', () => {
  it('drop the one that was used longest ago, which is then fetched again', async () => {
    const { issuer, registry, events, resolve } = await setScene({ registry: { maxProviders: 2 } })
    for (const name of ['b', 'c']) {
      await registry.register({
        tenant,
        provider: name,
        jwksUri: `${issuer.jwksUri}?${name}`,
        network: 'any',
        retryPolicy: unhurried,
      })
    }
    await resolve()
    await registry.resolve(tenant, 'b')
    await resolve()
    await registry.resolve(tenant, 'c')
    expect(events.filter(({ type }) => type === 'evicted').map(({ event }) => event)).toEqual([
      { tenant, provider: 'b' },
    ])
    expect(registry.status(tenant, 'b')).toMatchObject({ state: 'empty', health: 'unavailable', kids: [] })
    expect(registry.status(tenant, provider)).toMatchObject({ state: 'ready', kids: ['key-1'] })
    expect(issuer.requestCount('jwks')).toBe(3)
    await resolve()
    expect(issuer.requestCount('jwks')).toBe(3)
    await registry.resolve(tenant, 'b')
    expect(issuer.requestCount('jwks')).toBe(4)
    expect(registry.status(tenant, 'b').kids).toEqual(['key-1'])
  })

  it('leave no timer for the one that was dropped', async () => {
    const { clock, issuer, registry, events, resolve } = await setScene({ registry: { maxProviders: 1 } })
    await registry.register({
      tenant,
      provider: 'b',
      jwksUri: `${issuer.jwksUri}?b`,
      network: 'any',
      retryPolicy: unhurried,
    })
    await resolve()
    await registry.resolve(tenant, 'b')
    expect(clock.pendingTimers).toBe(1)
    const fetches = () => events.filter(({ type }) => type === 'fetch').map(({ event }) => event.provider)
    await clock.advance(600_000)
    await until(() => fetches().length === 3)
    expect(fetches()).toEqual([provider, 'b', 'b'])
  })

  it('have the one that was dropped while its refreshes failed fetched at once, whatever the backoff was', async () => {
    const { issuer, registry, resolve } = await setScene({ registry: { maxProviders: 1 } })
    await registry.register({
      tenant,
      provider: 'b',
      jwksUri: `${issuer.jwksUri}?b`,
      network: 'any',
      retryPolicy: unhurried,
    })
    await resolve()
    issuer.answerOnce('jwks', { kind: 'reply', status: 429, headers: { 'retry-after': '600' } })
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: false })
    await registry.resolve(tenant, 'b')
    expect(await resolve()).toEqual(['key-1'])
  })

  it('forget no revocation of the one that was dropped', async () => {
    const { issuer, registry, resolve } = await setScene({ registry: { maxProviders: 1 } })
    await registry.register({
      tenant,
      provider: 'b',
      jwksUri: `${issuer.jwksUri}?b`,
      network: 'any',
      retryPolicy: unhurried,
    })
    await issuer.addKey()
    await resolve()
    await registry.revokeKey(tenant, provider, 'key-1')
    await registry.resolve(tenant, 'b')
    expect(await resolve()).toEqual(['key-2'])
    await expect(resolve('key-1')).rejects.toMatchObject({ code: 'ERR_KEY_REVOKED' })
  })
})

describe('a provider that has never answered', () => {
  it('takes no place from one whose keys are held, and sets no timer', async () => {
    const { clock, issuer, registry, events, resolve } = await setScene({ registry: { maxProviders: 1 } })
    await registry.register({ tenant, provider: 'b', jwksUri: `${issuer.issuer}/none`, network: 'any' })
    await resolve()
    expect(clock.pendingTimers).toBe(1)
    expect(await rejectionOf(registry.resolve(tenant, 'b'))).toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(clock.pendingTimers).toBe(1)
    expect(events.filter(({ type }) => type === 'evicted')).toEqual([])
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(1)
  })
})

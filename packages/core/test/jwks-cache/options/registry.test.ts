import { readdirSync, readFileSync } from 'node:fs'
import { Agent } from 'undici'
import { describe, expect, it } from 'vitest'
import { createRegistry } from '../../../src/index.ts'
import { providerOptionNames } from '../../../src/registry/provider-options.ts'
import { registryOptionNames } from '../../../src/registry/registry-options.ts'
import { closeAfterwards, provider, setScene, tenant } from '../scene.ts'

describe('requireHttps', () => {
  it('is true where it is not given, and no provider can loosen it', async () => {
    const registry = createRegistry()
    closeAfterwards(registry)
    const registration = { tenant, provider, jwksUri: 'http://issuer.example/jwks' }
    await expect(registry.register(registration)).rejects.toThrow('requireHttps')
    await expect(registry.register({ ...registration, requireHttps: false })).rejects.toThrow('requireHttps')
  })
})

describe('allowedDomains', () => {
  it('hold for every provider, which can only narrow them', async () => {
    const options = { registry: { allowedDomains: ['example.com'] } }
    await expect(setScene(options)).rejects.toThrow('allowedDomains')
    await expect(setScene({ ...options, provider: { allowedDomains: ['127.0.0.1'] } })).rejects.toThrow(
      'allowedDomains',
    )
    await expect(setScene({ registry: { allowedDomains: ['127.0.0.1'] } })).resolves.toBeDefined()
  })
})

describe('defaults', () => {
  it('count where a provider does not say, its retryPolicy member by member', async () => {
    const { issuer, registry, clock } = await setScene({
      registry: {
        defaults: { network: 'any', refreshEarly: 100_000, prefetchJitter: 0, retryPolicy: { maxRetries: 0 } },
      },
    })
    const ahead = (name: string): number => Date.parse(registry.status(tenant, name).nextRefresh ?? '') - clock.now()
    await registry.register({ tenant, provider: 'b', jwksUri: issuer.jwksUri })
    await registry.register({ tenant, provider: 'c', jwksUri: issuer.jwksUri, refreshEarly: 50_000 })
    await registry.resolve(tenant, 'b')
    await registry.resolve(tenant, 'c')
    expect([ahead('b'), ahead('c')]).toEqual([500_000, 550_000])

    await registry.register({
      tenant,
      provider: 'd',
      jwksUri: issuer.jwksUri,
      retryPolicy: { jitter: 'none', attemptTimeout: 60_000 },
    })
    issuer.answerOnce('jwks', { kind: 'reply', status: 500 })
    await expect(registry.resolve(tenant, 'd')).rejects.toMatchObject({ cause: { status: 500 } })
  })
})

describe('maxProviders', () => {
  it('bounds the key sets in memory', async () => {
    const { issuer, registry } = await setScene({ registry: { maxProviders: 3 } })
    for (let index = 0; index < 10; index += 1) {
      await registry.register({ tenant, provider: `p${index}`, jwksUri: issuer.jwksUri, network: 'any' })
      await registry.resolve(tenant, `p${index}`)
    }
    expect(registry.statuses().filter(({ kids }) => kids.length > 0)).toHaveLength(3)
  })
})

describe('maxConcurrentFetches', () => {
  it.each([
    [32, undefined],
    [3, 3],
  ])('bounds the upstream requests under way to %d', async (most, maxConcurrentFetches) => {
    const { issuer, registry } = await setScene({ registry: { maxConcurrentFetches } })
    let [underWay, peak] = [0, 0]
    const held: (() => void)[] = []
    issuer.answerAlways('jwks', async () => {
      underWay += 1
      peak = Math.max(peak, underWay)
      await new Promise<void>((resolve) => held.push(resolve))
      underWay -= 1
      return { kind: 'normal' }
    })
    const tenants = Array.from({ length: most + 8 }, (_, index) => `tenant-${index}`)
    const answers = tenants.map(async (name) => {
      await registry.register({ tenant: name, provider, jwksUri: `${issuer.jwksUri}?${name}`, network: 'any' })
      return await registry.resolve(name, provider)
    })
    await issuer.waitForRequests(most, 'jwks')
    for (let count = most; count < tenants.length; count += 1) {
      expect(issuer.requestCount('jwks')).toBe(count)
      held.shift()?.()
      await issuer.waitForRequests(count + 1, 'jwks')
    }
    for (const release of held) release()
    expect(await Promise.all(answers)).toHaveLength(tenants.length)
    expect(peak).toBe(most)
  })
})

describe('dispatcher', () => {
  it('makes the connections, and stays open when the registry closes', async () => {
    const agent = new Agent()
    closeAfterwards(agent)
    let dispatched = 0
    const dispatcher = agent.compose((dispatch) => (options, handler) => {
      dispatched += 1
      return dispatch(options, handler)
    })
    const { registry, resolve } = await setScene({ registry: { dispatcher } })
    expect(await resolve()).toEqual(['key-1'])
    expect(dispatched).toBe(1)
    await registry.close()
    expect(agent.destroyed).toBe(false)
  })

  it.each([{ network: 'any' as const }, { allowAddresses: ['127.0.0.1'] }])('refuses %j beside it', async (given) => {
    const agent = new Agent()
    closeAfterwards(agent)
    await expect(setScene({ registry: { dispatcher: agent }, provider: given })).rejects.toThrow('dispatcher')
  })
})

describe('clock', () => {
  it('is where all time comes from', async () => {
    const { clock, resolve, status } = await setScene({ provider: { prefetch: 'never' } })
    await resolve()
    expect(status().lastRefresh).toBe('2025-01-01T00:00:00.000Z')
    await clock.advance(599_999)
    expect(status().health).toBe('fresh')
    clock.set(clock.now() + 1)
    expect(status().health).toBe('stale')
  })
})

describe('every option', () => {
  const here = new URL('./', import.meta.url)
  const text = readdirSync(here)
    .map((name) => readFileSync(new URL(name, here), 'utf8'))
    .join('\n')

  it.each([...new Set([...providerOptionNames, ...registryOptionNames])])('%s has its tests here', (name) => {
    expect(text).toContain(`describe('${name}'`)
  })
})

import { startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { createManualClock, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { ProviderOptions, ProviderStatus, Registry } from '../../src/index.ts'

const start = createManualClock().now()

async function scene(options: ProviderOptions = {}) {
  const clock = createManualClock()
  const issuer = await startIssuer({ clock, cacheControl: 'max-age=600' })
  const steady = { prefetchJitter: 0, prefetch: 'never', staleWhileError: 3_600_000 } as const
  const registry = await startRegistryWith(issuer, { clock }, { ...steady, ...options })
  return { clock, issuer, registry, status: () => registry.status('acme', 'auth0') }
}

function at(seconds: number): string {
  return new Date(start + seconds * 1_000).toISOString()
}

/** Holds the next answer until it is released. */
function holdAnswer(issuer: TestIssuer): () => void {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  issuer.answerOnce('jwks', async () => {
    await released
    return { kind: 'normal' }
  })
  return () => release()
}

describe('the status of a provider', () => {
  it('is empty before its first use', async () => {
    const { status } = await scene()
    expect(status()).toEqual({
      tenant: 'acme',
      provider: 'auth0',
      state: 'empty',
      health: 'unavailable',
      lastRefresh: undefined,
      nextRefresh: undefined,
      expiresAt: undefined,
      staleUntil: undefined,
      errorCount: 0,
      lastError: undefined,
      hitRate: 0,
      staleServeRatio: 0,
      kids: [],
      source: 'none',
      store: 'none',
      failingStoreSides: [],
      metrics: { requests: 0, hits: 0, misses: 0, stale: 0, refreshes: 0, refreshErrors: 0 },
    } satisfies ProviderStatus)
  })

  it('is loading during the first fetch', async () => {
    const { issuer, registry, status } = await scene()
    const release = holdAnswer(issuer)
    const resolved = registry.resolve('acme', 'auth0')
    await issuer.waitForRequests(1)
    expect(status()).toMatchObject({ state: 'loading', health: 'unavailable', source: 'none', kids: [] })
    release()
    await resolved
  })

  it('is ready and fresh after it', async () => {
    const { registry, status } = await scene({ prefetch: 'active' })
    await registry.resolve('acme', 'auth0')
    await registry.resolve('acme', 'auth0')
    expect(status()).toEqual({
      tenant: 'acme',
      provider: 'auth0',
      state: 'ready',
      health: 'fresh',
      lastRefresh: at(0),
      nextRefresh: at(570),
      expiresAt: at(600),
      staleUntil: at(4_200),
      errorCount: 0,
      lastError: undefined,
      hitRate: 0.5,
      staleServeRatio: 0,
      kids: ['key-1'],
      source: 'upstream',
      store: 'none',
      failingStoreSides: [],
      metrics: { requests: 2, hits: 1, misses: 1, stale: 0, refreshes: 1, refreshErrors: 0 },
    } satisfies ProviderStatus)
  })

  it('is refreshing during a later fetch', async () => {
    const { issuer, registry, status } = await scene()
    await registry.resolve('acme', 'auth0')
    const release = holdAnswer(issuer)
    const refreshed = registry.refresh('acme', 'auth0')
    await issuer.waitForRequests(2)
    expect(status()).toMatchObject({ state: 'refreshing', health: 'fresh' })
    release()
    await refreshed
    expect(status().state).toBe('ready')
  })

  it('is stale past expiry, until the next request', async () => {
    const { clock, registry, status } = await scene()
    await registry.resolve('acme', 'auth0')
    await clock.advance(599_999)
    expect(status().health).toBe('fresh')
    await clock.advance(1)
    expect(status()).toMatchObject({ state: 'ready', health: 'stale', kids: ['key-1'] })
  })

  it('is failing while the provider is down and the keys still serve', async () => {
    const { clock, issuer, registry, status } = await scene()
    await registry.resolve('acme', 'auth0')
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    await clock.advance(600_000)
    await registry.resolve('acme', 'auth0')
    expect(status()).toMatchObject({
      state: 'ready',
      health: 'failing',
      lastRefresh: at(0),
      errorCount: 1,
      lastError: {
        code: 'ERR_UPSTREAM_STATUS',
        message: 'The provider responded with status 503 to a request for its key set',
      },
      staleServeRatio: 0.5,
      kids: ['key-1'],
      metrics: { requests: 2, stale: 1, refreshes: 2, refreshErrors: 1 },
    })
  })

  it('is unavailable once the keys may not serve any more', async () => {
    const { clock, registry, status } = await scene({ staleWhileError: 0 })
    await registry.resolve('acme', 'auth0')
    await clock.advance(600_000)
    expect(status()).toMatchObject({ state: 'empty', health: 'unavailable', source: 'upstream', kids: [] })
  })

  it('is empty and unavailable after a first fetch that failed', async () => {
    const { issuer, registry, status } = await scene()
    issuer.answerAlways('jwks', { kind: 'garbage' })
    await expect(registry.resolve('acme', 'auth0')).rejects.toMatchObject({ code: 'ERR_KEYS_UNAVAILABLE' })
    expect(status()).toMatchObject({
      state: 'empty',
      health: 'unavailable',
      nextRefresh: at(1),
      errorCount: 1,
      lastError: { code: 'ERR_KEY_SET_MALFORMED' },
      hitRate: 0,
      source: 'none',
    })
  })

  it('forgets its errors with the first success', async () => {
    const { issuer, registry, status } = await scene()
    issuer.answerOnce('jwks', { kind: 'reset' })
    await registry.refresh('acme', 'auth0')
    expect(status().errorCount).toBe(1)
    await registry.refresh('acme', 'auth0')
    expect(status()).toMatchObject({ health: 'fresh', errorCount: 0, lastError: undefined })
  })

  it('leaves revoked keys out', async () => {
    const { issuer, registry, status } = await scene()
    await issuer.addKey({ kid: 'other' })
    await registry.resolve('acme', 'auth0')
    await registry.revokeKey('acme', 'auth0', 'key-1')
    expect(status().kids).toEqual(['other'])
  })

  it('does not fetch, and cannot be used to change anything', async () => {
    const { issuer, registry, status } = await scene()
    await registry.resolve('acme', 'auth0')
    Object.assign(status().metrics, { requests: 99 })
    expect(status().metrics.requests).toBe(1)
    expect(issuer.requestCount()).toBe(1)
  })
})

describe('the statuses', () => {
  it('are of every provider, in the order of registration', async () => {
    const { issuer, registry } = await scene()
    for (const tenant of ['zeta', 'alpha']) {
      await registry.register({ tenant, provider: 'auth0', jwksUri: issuer.jwksUri, network: 'any' })
    }
    await registry.resolve('alpha', 'auth0')
    expect(registry.statuses().map(({ tenant, state }: ReturnType<Registry['status']>) => [tenant, state])).toEqual([
      ['acme', 'empty'],
      ['zeta', 'empty'],
      ['alpha', 'ready'],
    ])
  })
})

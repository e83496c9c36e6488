import { startIssuer, startRegistryWith } from '@jwks-auth/test-support/start'
import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it, vi } from 'vitest'
import type { Registry, RegistryEvents } from '../../src/index.ts'

const types: readonly (keyof RegistryEvents)[] = [
  'fetch',
  'refresh',
  'refresh-failed',
  'stale',
  'key-added',
  'key-removed',
  'key-changed',
  'keys-refused',
  'unknown-kid',
]

/** Everything that the registry tells, in order: type, and what is beside tenant and provider. */
function listen(registry: Registry): unknown[] {
  const told: unknown[] = []
  for (const type of types) {
    registry.on(type, ({ tenant, provider, ...rest }) => {
      expect({ tenant, provider }).toEqual({ tenant: 'acme', provider: 'auth0' })
      told.push([type, rest])
    })
  }
  return told
}

async function scene() {
  const clock = createManualClock()
  const issuer = await startIssuer({ clock })
  const registry = await startRegistryWith(issuer, { clock }, { prefetch: 'never' })
  return { clock, issuer, registry, told: listen(registry) }
}

describe('a registry tells', () => {
  it('of a first fetch and its keys', async () => {
    const { issuer, registry, told } = await scene()
    issuer.setJwks({ keys: [...issuer.jwks.keys, { kty: 'oct', k: 'AAAA', kid: 'secret' }] })
    await registry.resolve('acme', 'auth0')
    expect(told).toEqual([
      ['fetch', { reason: 'first' }],
      ['keys-refused', { count: 1, refused: [{ kid: 'secret', reason: 'symmetric' }] }],
      ['key-added', { kid: 'key-1' }],
      ['refresh', { reason: 'first', modified: true, duration: 0 }],
    ])
  })

  it('of a refresh that was due, and of what it changed', async () => {
    const { clock, issuer, registry, told } = await scene()
    await issuer.addKey({ kid: 'changes' })
    await registry.resolve('acme', 'auth0')
    await issuer.addKey({ kid: 'changes' })
    await issuer.rotate({ kid: 'new', keepPrevious: false })
    await clock.advance(600_000)
    told.length = 0
    await registry.resolve('acme', 'auth0')
    expect(told).toEqual([
      ['fetch', { reason: 'due' }],
      ['key-added', { kid: 'new' }],
      ['key-removed', { kid: 'key-1' }],
      ['key-changed', { kid: 'changes' }],
      ['refresh', { reason: 'due', modified: true, duration: 0 }],
    ])
  })

  it('of a refresh that confirmed what was held', async () => {
    const { registry, told } = await scene()
    await registry.resolve('acme', 'auth0')
    told.length = 0
    await registry.refresh('acme', 'auth0')
    expect(told).toEqual([
      ['fetch', { reason: 'requested' }],
      ['refresh', { reason: 'requested', modified: false, duration: 0 }],
    ])
  })

  it('of a refresh that failed, and that stale keys are served, once', async () => {
    const { clock, issuer, registry, told } = await scene()
    await registry.resolve('acme', 'auth0')
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    await clock.advance(600_000)
    told.length = 0
    await registry.resolve('acme', 'auth0')
    await registry.resolve('acme', 'auth0')
    expect(told).toEqual([
      ['fetch', { reason: 'due' }],
      ['refresh-failed', { reason: 'due', duration: 0, error: expect.objectContaining({ status: 503 }) }],
      ['stale', {}],
    ])
  })

  it('of a refetch for an unknown kid, without the kid', async () => {
    const { registry, told } = await scene()
    await registry.resolve('acme', 'auth0')
    told.length = 0
    await expect(registry.resolve('acme', 'auth0', 'unknown')).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    expect(told).toEqual([
      ['unknown-kid', {}],
      ['fetch', { reason: 'unknown-kid' }],
      ['refresh', { reason: 'unknown-kid', modified: false, duration: 0 }],
    ])
  })

  it('how long a refresh took', async () => {
    const { clock, issuer, registry, told } = await scene()
    issuer.answerOnce('jwks', async () => {
      await clock.advance(1_234)
      return { kind: 'normal' }
    })
    await registry.resolve('acme', 'auth0')
    expect(told.at(-1)).toEqual(['refresh', { reason: 'first', modified: true, duration: 1_234 }])
  })
})

describe('a listener', () => {
  it.each<[string, () => void]>([
    [
      'throws',
      () => {
        throw new Error('listener')
      },
    ],
    ['rejects', () => Promise.reject(new Error('listener'))],
  ])('that %s harms neither the request nor the other listeners', async (_, listener) => {
    const { registry } = await scene()
    const [unhandled, other] = [vi.fn<() => void>(), vi.fn<() => void>()]
    process.on('unhandledRejection', unhandled)
    for (const type of types) {
      registry.on(type, listener)
      registry.on(type, other)
    }
    await expect(registry.resolve('acme', 'auth0')).resolves.toHaveProperty('keys')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(other).toHaveBeenCalledTimes(3)
    expect(unhandled).not.toHaveBeenCalled()
  })

  it('can be removed', async () => {
    const { registry } = await scene()
    const listener = vi.fn<() => void>()
    registry.on('fetch', listener)()
    await registry.resolve('acme', 'auth0')
    expect(listener).not.toHaveBeenCalled()
  })

  it('of an event that does not exist is a TypeError', async () => {
    const { registry } = await scene()
    expect(() => registry.on('fetched' as 'fetch', () => undefined)).toThrow(/there is no event "fetched"/)
  })
})

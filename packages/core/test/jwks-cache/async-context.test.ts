import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as macrotask } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createTestIssuer, memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createAuthenticator, createRegistry, type SnapshotStore } from '../../src/index.ts'
import { closeAfterwards, nextEvent, provider, rejectionOf, setScene, tenant, until } from './scene.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const context = new AsyncLocalStorage<unknown>()

/** A provider whose `headers` function records the context of each fetch, in a registry created in the context `'registry'`. */
async function startRecording(options: Parameters<typeof setScene>[0] = {}) {
  const contexts: unknown[] = []
  const headers = (): Record<string, string> => {
    contexts.push(context.getStore())
    return {}
  }
  const scene = await context.run('registry', () =>
    setScene({ ...options, provider: { headers, ...options.provider } }),
  )
  return { ...scene, contexts }
}

describe('a fetch', () => {
  it('runs in the context in which the registry was created, whichever request starts it', async () => {
    const { registry, issuer, resolve, contexts } = await startRecording()
    await context.run('first request', () => resolve())
    await issuer.rotate()
    await context.run('request with an unknown kid', () => resolve('key-2'))
    await context.run('operator', () => registry.refresh(tenant, provider))
    expect(contexts).toEqual(['registry', 'registry', 'registry'])
  })

  it('leaves the request that waits for it in its own context', async () => {
    const { resolve } = await startRecording()
    const seen = await context.run('request', async () => {
      await resolve()
      return context.getStore()
    })
    expect(seen).toBe('request')
  })

  it('runs in that context also where a request starts it in the background', async () => {
    const { clock, registry, resolve, contexts } = await startRecording({ provider: { prefetch: 'never' } })
    await resolve()
    await clock.advance(600_000)
    await context.run('request that waits', () => resolve())
    await clock.advance(600_000)
    const refreshed = nextEvent(registry, 'refresh')
    await context.run('another one', () => resolve())
    await refreshed
    expect(contexts).toEqual(['registry', 'registry', 'registry'])
  })

  it('runs in that context where a timer starts it that a request has set', async () => {
    const issuer = await createTestIssuer({ algorithm: 'ES256' })
    closeAfterwards(issuer)
    const contexts: unknown[] = []
    // The machine's clock: its timers keep the context in which they were set.
    const registry = context.run('registry', () => createRegistry({ requireHttps: false }))
    closeAfterwards(registry)
    await registry.register({
      tenant,
      provider,
      jwksUri: issuer.jwksUri,
      network: 'any',
      minTtl: 1_000,
      maxTtl: 1_000,
      prefetchJitter: 0,
      headers: () => {
        contexts.push(context.getStore())
        return {}
      },
    })
    await context.run('request', async () => {
      await registry.resolve(tenant, provider)
      await registry.resolve(tenant, provider)
    })
    await until(() => contexts.length >= 2, 10_000)
    expect(contexts.slice(0, 2)).toEqual(['registry', 'registry'])
  })

  it('emits its events in that context', async () => {
    const contexts: unknown[] = []
    const listen = (): unknown => contexts.push(context.getStore())
    const { registry, resolve } = await startRecording()
    registry.on('fetch', listen)
    registry.on('refresh', listen)
    await context.run('request', () => resolve())
    expect(contexts).toEqual(['registry', 'registry'])
  })
})

describe('the store', () => {
  it('is read and written in the context in which the registry was created', async () => {
    const contexts: unknown[] = []
    const inner = memoryStore()
    const store: SnapshotStore = {
      async load(key) {
        contexts.push(context.getStore())
        return await inner.load(key)
      },
      async save(key, snapshot) {
        contexts.push(context.getStore())
        await inner.save(key, snapshot)
      },
      delete: async () => undefined,
    }
    const { registry, resolve } = await startRecording({ registry: { store, integrityKey: 'x'.repeat(32) } })
    contexts.splice(0)
    const saved = nextEvent(registry, 'snapshot-saved')
    await context.run('request', () => resolve())
    await saved
    expect(contexts.length).toBeGreaterThan(0)
    expect(new Set(contexts)).toEqual(new Set(['registry']))
  })
})

describe('the AsyncLocalStorage store of a finished request', () => {
  /** Runs a request in a context of its own, to which nothing here keeps a reference. */
  async function finish(request: () => Promise<unknown>): Promise<WeakRef<object>> {
    const store = { request: Buffer.alloc(1_000) }
    await context.run(store, request)
    return new WeakRef(store)
  }

  async function isCollected(reference: WeakRef<object>): Promise<boolean> {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      await macrotask()
      collectGarbage()
      if (reference.deref() === undefined) return true
    }
    return false
  }

  async function startOnMachineClock() {
    const issuer = await createTestIssuer({ algorithm: 'ES256', audience: 'api' })
    closeAfterwards(issuer)
    const authenticator = createAuthenticator({
      issuer: issuer.issuer,
      jwksUri: issuer.jwksUri,
      audience: 'api',
      requireHttps: false,
    })
    closeAfterwards(authenticator)
    const authenticate = async (token: string): Promise<boolean> => {
      const headers = { authorization: `Bearer ${token}` }
      return (await authenticator.authenticate({ method: 'GET', url: '/', headers })).ok
    }
    return { issuer, authenticator, authenticate }
  }

  it('is collected although the request started the first fetch and the timer for the next one', async () => {
    const { issuer, authenticate } = await startOnMachineClock()
    const token = await issuer.sign()
    const first = await finish(() => authenticate(token))
    const second = await finish(() => authenticate(token))
    expect([await isCollected(first), await isCollected(second)]).toEqual([true, true])
  })

  it('is collected although the request caused a refetch', async () => {
    const { issuer, authenticate } = await startOnMachineClock()
    await authenticate(await issuer.sign())
    await issuer.rotate()
    const token = await issuer.sign()
    expect(await isCollected(await finish(() => authenticate(token)))).toBe(true)
  })

  it('is collected although the fetch of the request failed', async () => {
    const { issuer, authenticator } = await startOnMachineClock()
    issuer.answerAlways('jwks', { kind: 'reply', status: 404 })
    const { registry } = authenticator
    const request = () => rejectionOf(registry.resolve('default', 'default'))
    expect(await isCollected(await finish(request))).toBe(true)
  })
})

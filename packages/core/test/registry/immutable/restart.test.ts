import { mkdirSync } from 'node:fs'
import { memoryStore, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { fileStore, type RegistryOptions } from '../../../src/index.ts'
import {
  inDirectory,
  integrityKey,
  provider,
  settle,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
} from '../process.ts'
import { immutable, setImmutableScene } from './immutable.ts'

const year = 366 * 24 * 60 * 60_000

/** Every way to say where the keys are kept; called once for each of two processes. */
const places: Readonly<Record<string, () => () => RegistryOptions>> = {
  publicKeyPath() {
    const publicKeyPath = temporaryDirectory()
    return () => ({ publicKeyPath })
  },
  'publicKeyPath and an integrityKey'() {
    const options = inDirectory()
    return () => options
  },
  'a file store'() {
    const directory = temporaryDirectory()
    return () => ({ store: fileStore({ directory }) })
  },
  'a store of three methods'() {
    const { load, save, delete: remove } = memoryStore()
    return () => ({ store: { load, save, delete: remove } })
  },
  'a store of three methods and an integrityKey'() {
    const { load, save, delete: remove } = memoryStore()
    return () => ({ store: { load, save, delete: remove }, integrityKey })
  },
  'an integrityKey that is rotated'() {
    const store = memoryStore()
    const keys: (string | string[])[] = [integrityKey, ['another secret of thirty-two bytes', integrityKey]]
    return () => ({ store, integrityKey: keys.shift() })
  },
}

async function abandonedBy(issuer: TestIssuer, registry: RegistryOptions): Promise<void> {
  await startProcessWithKeys({ issuer, registry, provider: immutable })
}

describe('a process that is started anew', () => {
  it.each(Object.keys(places))('has the keys that one learned which was killed: %s', async (name) => {
    const issuer = await startIssuer()
    const registry = places[name]?.()
    await abandonedBy(issuer, registry?.() ?? {})
    issuer.clearRequests()
    const second = await startProcess({ issuer, registry: registry?.() ?? {}, provider: immutable })
    expect(second.kids()).toEqual(['key-1'])
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    expect(issuer.requestCount()).toBe(0)
    expect(second.told('snapshot-refused')).toEqual([])
  })

  it('has them once it is registered, without a request upstream', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(3)
    await startWithKeys()
    issuer.clearRequests()
    const second = await start()
    expect(second.kids()).toEqual(['key-1', 'key-2', 'key-3'])
    expect(second.told('snapshot-loaded')).toEqual([{ tenant, provider }])
    expect(second.registry.status(tenant, provider)).toMatchObject({ state: 'ready', source: 'store' })
    expect(issuer.requestCount()).toBe(0)
  })

  it('serves 10 000 verifications without a request upstream', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(4)
    await startWithKeys()
    issuer.clearRequests()
    const second = await start()
    const kids = ['key-1', 'key-2', 'key-3', 'key-4']
    for (let count = 0; count < 10_000; count += 1) await second.resolve(kids[count % 4])
    const verdicts: string[] = []
    for (const key of kids) verdicts.push(await second.verdict(await issuer.sign({}, { key })))
    expect(verdicts).toEqual(Array.from(kids, () => 'accepted'))
    expect(issuer.requestCount()).toBe(0)
    expect(second.told('fetch')).toEqual([])
  })

  it('a year later, with the provider down, serves the keys: no refresh, no timer, nothing stale', async () => {
    const { issuer, startWithKeys, store } = await setImmutableScene()
    const first = await startWithKeys()
    await issuer.stop()
    const now = first.clock.now() + year
    const second = await startProcess({ issuer, registry: { store }, provider: immutable, now })
    expect(await second.resolve('key-1')).toEqual(['key-1'])
    expect(second.told('fetch')).toEqual([])
    expect(second.told('stale')).toEqual([])
    expect(second.clock.pendingTimers).toBe(0)
    expect(second.registry.status(tenant, provider)).toMatchObject({
      health: 'fresh',
      expiresAt: undefined,
      staleUntil: undefined,
      nextRefresh: undefined,
      errorCount: 0,
    })
  })

  it('makes no metadata request either where the URI is discovered', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    const discovered = { jwksUri: undefined }
    await startWithKeys(discovered)
    expect(issuer.requests.map(({ endpoint }) => endpoint)).toEqual(['openid', 'jwks'])
    await issuer.stop()
    const second = await start(discovered)
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    expect(second.told('fetch')).toEqual([])
  })

  it('refuses the keys that were stored for the lifetime of HTTP, and the reverse', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    await startWithKeys({ keyLifetime: 'http' })
    const second = await start()
    expect(second.told('snapshot-refused')).toEqual([{ tenant, provider, reason: 'binding' }])
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    await settle()
    const third = await start({ keyLifetime: 'http' })
    expect(third.told('snapshot-refused')).toEqual([{ tenant, provider, reason: 'binding' }])
  })
})

describe('a process that goes on', () => {
  it('serves a year later what it learned, with the provider down: no refresh, no timer', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { clock, resolve, told, registry } = await startWithKeys()
    expect(clock.pendingTimers).toBe(0)
    await issuer.stop()
    await clock.advance(year)
    expect(await resolve('key-1')).toEqual(['key-1'])
    expect(told('fetch')).toHaveLength(1)
    expect(told('stale')).toEqual([])
    expect(clock.pendingTimers).toBe(0)
    expect(registry.status(tenant, provider)).toMatchObject({ health: 'fresh', expiresAt: undefined })
  })

  it.each(['no-store', 'max-age=0, must-revalidate', 'max-age=1'])(
    'does not ask HTTP how long the keys are good: %s',
    async (header) => {
      const { issuer, startWithKeys } = await setImmutableScene()
      issuer.setHeaders('jwks', { 'cache-control': header })
      const { clock, resolve } = await startWithKeys()
      await clock.advance(year)
      await resolve()
      await resolve('key-1')
      expect(issuer.requestCount()).toBe(1)
    },
  )
})

describe('the setting', () => {
  it('can be made for all providers, in defaults', async () => {
    const issuer = await startIssuer()
    const registry = { ...inDirectory(), defaults: { keyLifetime: 'immutable' } } as const
    await startProcessWithKeys({ issuer, registry })
    issuer.clearRequests()
    const second = await startProcess({ issuer, registry })
    await second.clock.advance(1_000)
    second.clock.set(second.clock.now() + year)
    expect(await second.resolve('key-1')).toEqual(['key-1'])
    expect(issuer.requestCount()).toBe(0)
    expect(second.registry.status(tenant, provider).expiresAt).toBeUndefined()
  })

  it('of one provider stands over the defaults', async () => {
    const issuer = await startIssuer()
    const registry = { defaults: { keyLifetime: 'immutable' } } as const
    const { registry: made, resolve } = await startProcess({ issuer, registry, provider: { keyLifetime: 'http' } })
    await resolve()
    expect(made.status(tenant, provider).expiresAt).toBe('2025-01-01T00:10:00.000Z')
  })

  it('works without a store, for as long as the process lives', async () => {
    const issuer = await startIssuer()
    const { clock, resolve } = await startProcess({ issuer, provider: immutable })
    await resolve()
    await clock.advance(year)
    expect(await resolve()).toEqual(['key-1'])
    expect(issuer.requestCount()).toBe(1)
  })

  it.each(['forever', '', true, null])('is no %j', async (keyLifetime) => {
    const issuer = await startIssuer()
    const wrong = { keyLifetime: keyLifetime as 'immutable' }
    await expect(startProcess({ issuer, provider: wrong })).rejects.toThrow(/^keyLifetime must be/)
  })

  it('does not make the directory of publicKeyPath before there is something to keep', async () => {
    const issuer = await startIssuer()
    const publicKeyPath = `${temporaryDirectory()}/keys/of/mine`
    const { resolve, saved } = await startProcess({ issuer, registry: { publicKeyPath }, provider: immutable })
    expect(() => mkdirSync(`${publicKeyPath}/..`, { recursive: false })).toThrow('ENOENT')
    await resolve()
    await saved()
    const second = await startProcess({ issuer, registry: { publicKeyPath }, provider: immutable })
    expect(second.kids()).toEqual(['key-1'])
  })
})

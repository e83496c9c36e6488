import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import {
  integrityKey,
  key,
  provider,
  registrationOf,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
  until,
} from '../process.ts'
import { registryOn } from './registry-on.ts'

describe.each([
  ['a directory', () => ({ publicKeyPath: temporaryDirectory(), integrityKey })],
  ['a store of three methods', () => ({ store: memoryStore(), integrityKey })],
] as const)('two processes on %s', (_, makeOptions) => {
  it('share one first fetch, if they start one after the other', async () => {
    const issuer = await startIssuer()
    const registry = makeOptions()
    await startProcessWithKeys({ issuer, registry })
    const second = await startProcess({ issuer, registry })
    expect(await second.resolve()).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(1)
  })

  it('share each refresh that is due: the later one takes what the earlier one has written', async () => {
    const issuer = await startIssuer()
    const scene = { issuer, registry: makeOptions(), provider: { prefetch: 'never' } } as const
    const first = await startProcessWithKeys(scene)
    const second = await startProcess(scene)
    for (let period = 1; period <= 3; period += 1) {
      await first.clock.advance(600_000)
      await first.resolve()
      await until(() => first.told('snapshot-saved').length === period + 1)
      await second.clock.advance(600_000)
      expect(await second.resolve()).toEqual(['key-1'])
      expect(issuer.requestCount('jwks')).toBe(period + 1)
    }
    expect(second.told('snapshot-loaded')).toHaveLength(4)
    expect(second.told('fetch')).toEqual([])
  })

  it('share what a refetch for an unknown kid has found', async () => {
    const issuer = await startIssuer()
    const registry = makeOptions()
    const first = await startProcessWithKeys({ issuer, registry })
    const second = await startProcess({ issuer, registry })
    await issuer.rotate({ kid: 'new' })
    await first.clock.advance(1_000)
    await second.clock.advance(1_000)
    expect(await first.resolve('new')).toContain('new')
    await until(() => first.told('snapshot-saved').length === 2)
    expect(await second.resolve('new')).toContain('new')
    expect(issuer.requestCount('jwks')).toBe(2)
    expect(second.toldKids('key-added')).toContain('new')
  })

  it('go their own ways when one of them has another key: neither believes the other', async () => {
    const issuer = await startIssuer()
    const options = makeOptions()
    await startProcessWithKeys({ issuer, registry: options })
    const other = await startProcess({ issuer, registry: { ...options, integrityKey: 'x'.repeat(32) } })
    expect(other.told('snapshot-refused')).toEqual([{ ...key, reason: 'integrity' }])
    expect(await other.resolve()).toEqual(['key-1'])
    expect(issuer.requestCount('jwks')).toBe(2)
  })
})

describe('a thousand providers', () => {
  it('are registered on a store, some at a time, with a loop or all at once, and asked for nothing upstream', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    const names = Array.from({ length: 1_000 }, (_, index) => `t${index}`)
    const writer = registryOn({ store, integrityKey })
    for (const name of names.slice(0, 20)) {
      await writer.registry.register({ ...registrationOf(issuer), tenant: name })
      await writer.registry.resolve(name, provider)
    }
    await writer.registry.persistAll()
    issuer.clearRequests()

    const { registry, told } = registryOn({ store, integrityKey })
    for (const name of names.slice(0, 500)) await registry.register({ ...registrationOf(issuer), tenant: name })
    await Promise.all(names.slice(500).map((name) => registry.register({ ...registrationOf(issuer), tenant: name })))
    expect(registry.statuses().filter(({ source }) => source === 'store')).toHaveLength(20)
    expect(registry.status('t19', provider)).toMatchObject({ health: 'fresh', source: 'store' })
    expect([told('store-failed'), told('store-warning'), issuer.requests]).toEqual([[], [], []])
    expect(await registry.restore()).toMatchObject({ refused: [], failed: [] })
    expect(registry.status(names[0] ?? tenant, provider).kids).toEqual(['key-1'])
  })
})

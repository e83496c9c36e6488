import type { TestKey } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { fileStore, type RegistryOptions } from '../../../src/index.ts'
import { provider, settle, startProcess, startProcessWithKeys, temporaryDirectory, tenant } from '../process.ts'
import { immutable, setImmutableScene } from './immutable.ts'

const bodyOf = (...keys: readonly TestKey[]) =>
  ({ kind: 'reply', body: JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }) }) as const

describe.each(['a store of three methods', 'a directory'])('two processes on %s', (place) => {
  async function setScene(keys = 1) {
    const scene = await setImmutableScene(keys)
    const directory = temporaryDirectory()
    const registry = (): RegistryOptions =>
      place === 'a directory' ? { store: fileStore({ directory }) } : { store: scene.store }
    const options = () => ({ issuer: scene.issuer, registry: registry(), provider: immutable })
    const start = async () => await startProcess(options())
    return { issuer: scene.issuer, start, startWithKeys: async () => await startProcessWithKeys(options()) }
  }

  it('that learn a key each have both in the store', async () => {
    const { issuer, start, startWithKeys } = await setScene()
    const first = await startWithKeys()
    const second = await start()
    issuer.answerOnce('jwks', bodyOf(await issuer.addKey()), bodyOf(await issuer.addKey()))
    await first.resolve('key-2')
    await first.registry.persistAll()
    await second.resolve('key-3')
    await second.registry.persistAll()
    expect((await start()).kids().toSorted()).toEqual(['key-1', 'key-2', 'key-3'])
  })

  it('that learn a key each at the same time lose none that the store has, once one of them has looked there', async () => {
    const { issuer, start, startWithKeys } = await setScene()
    const first = await startWithKeys()
    const second = await start()
    const [two, three] = [await issuer.addKey(), await issuer.addKey()]
    issuer.answerOnce('jwks', bodyOf(two), bodyOf(three))
    const kidsSought = [first.resolve('key-2'), second.resolve('key-3')]
    await Promise.allSettled(kidsSought)
    await settle()
    for (const { registry } of [first, second, first, second]) {
      await registry.restore()
      await registry.persistAll()
    }
    const learned = new Set([...first.kids(), ...second.kids()])
    expect(new Set((await start()).kids())).toEqual(learned)
    expect(new Set(first.kids())).toEqual(learned)
  })

  it('have the one forget what the other forgot: it does not come back by a save of either', async () => {
    const { issuer, start, startWithKeys } = await setScene(2)
    const first = await startWithKeys()
    const second = await start()
    await first.registry.forgetKey(tenant, provider, 'key-1')
    issuer.answerOnce('jwks', bodyOf(await issuer.addKey()))
    await second.resolve('key-3')
    await second.registry.persistAll()
    expect(second.kids()).toEqual(['key-2', 'key-3'])
    expect(second.toldKids('key-removed')).toEqual(['key-1'])
    await first.registry.restore()
    await first.registry.persistAll()
    expect(first.kids()).toEqual(['key-2', 'key-3'])
    expect((await start()).kids()).toEqual(['key-2', 'key-3'])
  })

  it('may both learn anew what one of them forgot, although the set has not changed', async () => {
    const { issuer, start, startWithKeys } = await setScene(2)
    const first = await startWithKeys()
    const second = await start()
    await second.clock.advance(1_000)
    // A 304: it is newer than what the first one has.
    expect(await second.registry.refresh(tenant, provider)).toMatchObject({ modified: false })
    await first.registry.forgetKey(tenant, provider, 'key-1')
    await second.registry.persistAll()
    await first.registry.restore()
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    await second.registry.persistAll()
    issuer.clearRequests()
    expect(await first.verdict(await issuer.sign())).toBe('accepted')
    expect(issuer.requestCount()).toBe(0)
  })

  it('agree on the material that was learned first', async () => {
    const { issuer, start } = await setScene()
    const [first, second] = [await start(), await start()]
    await first.resolve()
    const old = await issuer.sign()
    await issuer.rotate({ kid: 'key-1' })
    await second.clock.advance(1_000)
    await second.registry.refresh(tenant, provider)
    for (const { registry } of [first, second, first, second]) {
      await registry.persistAll()
      await registry.restore()
    }
    expect([await first.verdict(old), await second.verdict(old)]).toEqual(['accepted', 'accepted'])
    expect(await second.verdict(await issuer.sign())).toBe('ERR_SIGNATURE_INVALID')
  })
})

describe('a save that another process has overwritten', () => {
  it('is repeated when the store is next read', async () => {
    const { issuer, start, startWithKeys, store } = await setImmutableScene()
    const first = await startWithKeys()
    const before = store.snapshots[0]
    await issuer.rotate()
    await first.resolve('key-2')
    await settle()
    // As by a process that had read the store before and wrote to it after.
    store.put({ tenant, provider }, before?.snapshot)
    expect((await start()).kids()).toEqual(['key-1'])
    await first.registry.restore()
    await settle()
    expect((await start()).kids()).toEqual(['key-1', 'key-2'])
  })

  it('of a forgotten key is repeated as well: the key does not come back', async () => {
    const { start, startWithKeys, store } = await setImmutableScene(2)
    const first = await startWithKeys()
    const before = store.snapshots[0]
    await first.registry.forgetKey(tenant, provider, 'key-1')
    store.put({ tenant, provider }, before?.snapshot)
    await first.registry.restore()
    await settle()
    expect(first.kids()).toEqual(['key-2'])
    expect((await start()).kids()).toEqual(['key-2'])
  })
})

describe('a store that was emptied', () => {
  it('has the keys again when it is next read', async () => {
    const { issuer, start, startWithKeys, store } = await setImmutableScene(2)
    const { registry } = await startWithKeys()
    await store.delete({ tenant, provider })
    await registry.restore()
    await settle()
    issuer.clearRequests()
    expect((await start()).kids()).toEqual(['key-1', 'key-2'])
    expect(issuer.requestCount()).toBe(0)
  })
})

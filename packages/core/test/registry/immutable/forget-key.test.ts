import { describe, expect, it } from 'vitest'
import { fileStore, type Registry } from '../../../src/index.ts'
import {
  provider,
  registrationOf,
  rejectionOf,
  settle,
  startProcess,
  temporaryDirectory,
  tenant,
  until,
} from '../process.ts'
import { immutable, setImmutableScene } from './immutable.ts'

const forget = (registry: Registry, kid: string) => registry.forgetKey(tenant, provider, kid)

describe('forgetKey', () => {
  it('drops one key, and says so', async () => {
    const { startWithKeys } = await setImmutableScene(2)
    const { registry, kids, told } = await startWithKeys()
    expect(await forget(registry, 'key-1')).toBe(true)
    expect(kids()).toEqual(['key-2'])
    expect(told('key-forgotten')).toEqual([{ tenant, provider, kid: 'key-1' }])
  })

  it('is false for a kid that is not held', async () => {
    const { start, startWithKeys } = await setImmutableScene()
    const { registry, kids, told } = await startWithKeys()
    expect(await forget(registry, 'unknown')).toBe(false)
    expect(kids()).toEqual(['key-1'])
    expect(told('key-forgotten')).toEqual([])
    expect(await forget(registry, 'key-1')).toBe(true)
    expect(await forget(registry, 'key-1')).toBe(false)
    expect(await forget((await start()).registry, 'key-1')).toBe(false)
  })

  it('has written it down when it is done', async () => {
    const { startWithKeys, start } = await setImmutableScene(2)
    const { registry } = await startWithKeys()
    await forget(registry, 'key-1')
    expect((await start()).kids()).toEqual(['key-2'])
  })

  it('drops a key that only the store has, because it was dropped from memory', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(2)
    const { registry, kids } = await startWithKeys({}, { maxProviders: 1 })
    await registry.register(registrationOf(issuer, { ...immutable, provider: 'other' }))
    await registry.resolve(tenant, 'other')
    expect(kids()).toEqual([])
    expect(await forget(registry, 'key-1')).toBe(true)
    expect((await start()).kids()).toEqual(['key-2'])
  })

  it('lets the same key be learned anew: no time need pass, and an unchanged set is no obstacle', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(2)
    const { registry, kids, verdict } = await startWithKeys()
    await forget(registry, 'key-1')
    expect(await verdict(await issuer.sign())).toBe('accepted')
    expect(kids()).toEqual(['key-2', 'key-1'])
    expect(issuer.requestCount()).toBe(2)
    await settle()
    expect((await start()).kids()).toEqual(['key-2', 'key-1'])
  })

  it('lets the only key be learned anew', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    const { registry, kids, verdict } = await startWithKeys()
    await forget(registry, 'key-1')
    expect(registry.status(tenant, provider)).toMatchObject({ state: 'empty', health: 'unavailable', source: 'none' })
    expect(await verdict(await issuer.sign())).toBe('accepted')
    await settle()
    expect([kids(), (await start()).kids()]).toEqual([['key-1'], ['key-1']])
  })

  it('can be done again and again in the same millisecond', async () => {
    const { startWithKeys, start } = await setImmutableScene(2)
    const { registry, kids } = await startWithKeys()
    for (let round = 0; round < 3; round += 1) {
      expect(await forget(registry, 'key-1')).toBe(true)
      expect((await start()).kids()).toEqual(['key-2'])
      // A refetch for its `kid` has a budget; a refresh that is asked for has none.
      await registry.refresh(tenant, provider)
      await settle()
      expect(kids()).toEqual(['key-2', 'key-1'])
      expect((await start()).kids()).toEqual(['key-2', 'key-1'])
    }
  })

  it('heals a poisoned entry', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(2)
    const poisoned = await issuer.addKey()
    issuer.setJwks({ keys: [{ ...poisoned.publicJwk, kid: 'key-1' }, issuer.keys[1]?.publicJwk] })
    const { registry, verdict } = await startWithKeys()
    issuer.setJwks(undefined)
    const good = await issuer.sign()
    expect(await verdict(good)).toBe('ERR_SIGNATURE_INVALID')
    await forget(registry, 'key-1')
    expect(await verdict(good)).toBe('accepted')
    expect(await verdict(await issuer.sign({}, { key: poisoned, kid: 'key-1' }))).toBe('ERR_SIGNATURE_INVALID')
    await settle()
    const second = await start()
    expect(await second.verdict(good)).toBe('accepted')
  })

  it('is not undone by an answer that was asked for before', async () => {
    const { issuer, startWithKeys } = await setImmutableScene(2)
    const { registry, kids, verdict } = await startWithKeys()
    let answer = (): void => undefined
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    issuer.answerOnce('jwks', async () => {
      await held
      return { kind: 'normal' }
    })
    const refreshed = registry.refresh(tenant, provider)
    await issuer.waitForRequests(2)
    await forget(registry, 'key-1')
    answer()
    expect(await refreshed).toMatchObject({ ok: true, modified: false })
    expect(kids()).toEqual(['key-2'])
    expect(await verdict(await issuer.sign())).toBe('accepted')
  })

  it('applies to tokens that were verified before: they are refused until the key is learned again', async () => {
    const { issuer, startWithKeys } = await setImmutableScene(2)
    const { registry, verdict } = await startWithKeys()
    const token = await issuer.sign()
    expect(await verdict(token)).toBe('accepted')
    issuer.setJwks({ keys: [issuer.keys[1]?.publicJwk] })
    await forget(registry, 'key-1')
    expect(await verdict(token)).toBe('ERR_KEY_NOT_FOUND')
  })

  it('is a TypeError where keys are not immutable', async () => {
    const { startWithKeys } = await setImmutableScene()
    const { registry, kids } = await startWithKeys({ keyLifetime: 'http' })
    const error = await rejectionOf(forget(registry, 'key-1'))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toHaveProperty('message', expect.stringContaining('forgetKey'))
    expect(kids()).toEqual(['key-1'])
  })

  it('is of registered providers only', async () => {
    const { start } = await setImmutableScene()
    const { registry } = await start()
    await expect(registry.forgetKey(tenant, 'none', 'key-1')).rejects.toMatchObject({
      code: 'ERR_PROVIDER_NOT_REGISTERED',
    })
  })

  it.each(['', undefined, 7])('names no kid %j', async (kid) => {
    const { startWithKeys } = await setImmutableScene()
    const { registry } = await startWithKeys()
    await expect(forget(registry, kid as string)).rejects.toThrow(/^kid must be/)
  })

  it('works without a store', async () => {
    const { issuer } = await setImmutableScene()
    const { registry, resolve, kids } = await startProcess({ issuer, provider: immutable })
    await resolve()
    expect(await forget(registry, 'key-1')).toBe(true)
    expect(kids()).toEqual([])
  })

  it('rejects where it could not be written down, holds here, and is written when the store returns', async () => {
    const { startWithKeys, start, store } = await setImmutableScene(2)
    const { registry, kids, clock, told } = await startWithKeys()
    store.fail()
    await expect(forget(registry, 'key-1')).rejects.toMatchObject({ code: 'ERR_STORE_FAILED' })
    expect(kids()).toEqual(['key-2'])
    store.recover()
    await clock.advance(5_000)
    await until(() => told('store-recovered').length > 0)
    await settle()
    expect(kids()).toEqual(['key-2'])
    expect((await start()).kids()).toEqual(['key-2'])
  })

  it('holds for a file store as well', async () => {
    const { issuer } = await setImmutableScene(2)
    const directory = temporaryDirectory()
    const make = () => startProcess({ issuer, registry: { store: fileStore({ directory }) }, provider: immutable })
    const { registry, resolve, saved } = await make()
    await resolve()
    await saved()
    expect(await forget(registry, 'key-1')).toBe(true)
    expect((await make()).kids()).toEqual(['key-2'])
  })
})

import { describe, expect, it } from 'vitest'
import { provider, settle, tenant } from '../process.ts'
import { setImmutableScene } from './immutable.ts'

describe('other material under a kid that is held', () => {
  it('is refused: tokens of the old key verify, those of the new one do not, and events tell', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { registry, verdict, told, kids } = await startWithKeys()
    const old = await issuer.sign()
    await issuer.rotate({ kid: 'key-1' })
    const fresh = await issuer.sign()
    expect(await registry.refresh(tenant, provider)).toEqual({
      ok: true,
      modified: true,
      added: [],
      removed: [],
      changed: ['key-1'],
    })
    expect(told('key-changed')).toEqual([{ tenant, provider, kid: 'key-1' }])
    expect(told('keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: 'key-1', reason: 'immutable' }] },
    ])
    expect(await verdict(old)).toBe('accepted')
    expect(await verdict(fresh)).toBe('ERR_SIGNATURE_INVALID')
    expect(kids()).toEqual(['key-1'])
  })

  it('is refused after a restart, too', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    const { registry, saved } = await startWithKeys()
    const old = await issuer.sign()
    await issuer.rotate({ kid: 'key-1' })
    await registry.refresh(tenant, provider)
    await saved()
    await settle()
    const second = await start()
    expect(await second.verdict(old)).toBe('accepted')
    expect(await second.verdict(await issuer.sign())).toBe('ERR_SIGNATURE_INVALID')
    await second.registry.refresh(tenant, provider)
    expect(await second.verdict(old)).toBe('accepted')
  })

  it('does not keep a new kid of the same set out', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { verdict, registry } = await startWithKeys()
    await issuer.rotate({ kid: 'key-1' })
    const second = await issuer.rotate()
    expect(await verdict(await issuer.sign())).toBe('accepted')
    expect(registry.status(tenant, provider).kids).toEqual(['key-1', second.kid])
  })
})

describe('a key that upstream drops', () => {
  it('stays, is reported by refresh(), and causes no event of a removal', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    const first = await startWithKeys()
    const old = await issuer.sign()
    await issuer.rotate({ keepPrevious: false })
    const outcome = { ok: true, modified: true, added: ['key-2'], removed: ['key-1'], changed: [] }
    expect(await first.registry.refresh(tenant, provider)).toEqual(outcome)
    expect(first.toldKids('key-added')).toEqual(['key-1', 'key-2'])
    expect(first.toldKids('key-removed')).toEqual([])
    expect(await first.verdict(old)).toBe('accepted')
    await settle()
    const second = await start()
    expect(second.kids()).toEqual(['key-1', 'key-2'])
    expect(await second.verdict(old)).toBe('accepted')
  })

  it('stays where upstream confirms that after', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { registry, kids, told } = await startWithKeys()
    await issuer.rotate({ keepPrevious: false })
    await registry.refresh(tenant, provider)
    expect(await registry.refresh(tenant, provider)).toMatchObject({
      ok: true,
      modified: false,
      added: [],
      changed: [],
    })
    expect(told('refresh').at(-1)).toMatchObject({ modified: false })
    expect(kids()).toEqual(['key-1', 'key-2'])
  })

  it('stays where upstream has nothing usable left: the refresh fails', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { registry, kids } = await startWithKeys()
    issuer.setJwks({ keys: [] })
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: false })
    expect(kids()).toEqual(['key-1'])
  })
})

describe('a set that is unchanged', () => {
  it('is confirmed by a refresh, also to a process that has it from the store', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(2)
    await startWithKeys()
    const second = await start()
    const confirmed = { ok: true, modified: false, added: [], removed: [], changed: [] }
    expect(await second.registry.refresh(tenant, provider)).toEqual(confirmed)
    // A server with constant validators must not be able to hide a rotation.
    expect(issuer.requests.at(-1)?.headers).not.toHaveProperty('if-none-match')
    expect(second.kids()).toEqual(['key-1', 'key-2'])
  })
})

describe('maxKeys', () => {
  it('is 100 here: the next key is refused with an event, and the older ones stay', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { publicJwk } = issuer.signingKey
    const keys = Array.from({ length: 100 }, (_, index) => ({ ...publicJwk, kid: `many-${index}` }))
    issuer.setJwks({ keys })
    const { registry, kids, told, verdict } = await startWithKeys()
    expect(kids()).toHaveLength(100)
    issuer.setJwks(undefined)
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: true, added: [] })
    expect(told('keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: 'key-1', reason: 'too-many' }] },
    ])
    expect(kids()).toEqual(keys.map(({ kid }) => kid))
    expect(await verdict(await issuer.sign())).toBe('ERR_KEY_NOT_FOUND')
  })

  it('of a whole fleet is not exceeded either, and no process loses what it has', async () => {
    const { issuer, startWithKeys, start, store } = await setImmutableScene()
    const first = await startWithKeys({ maxKeys: 2 })
    const second = await start({ maxKeys: 2 })
    issuer.setJwks({ keys: [(await issuer.addKey({ kid: 'a' })).publicJwk] })
    await first.resolve('a')
    await settle()
    issuer.setJwks({ keys: [(await issuer.addKey({ kid: 'b' })).publicJwk] })
    await expect(second.resolve('b')).rejects.toMatchObject({ code: 'ERR_KEY_NOT_FOUND' })
    await settle()
    expect([first.kids(), second.kids()]).toEqual([
      ['key-1', 'a'],
      ['key-1', 'a'],
    ])
    expect(second.told('keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: 'b', reason: 'too-many' }] },
    ])
    expect(store.snapshots).toHaveLength(1)
  })

  it('that is lower after a restart keeps the oldest keys', async () => {
    const { startWithKeys, start } = await setImmutableScene(3)
    await startWithKeys()
    const second = await start({ maxKeys: 2 })
    expect(second.kids()).toEqual(['key-1', 'key-2'])
    expect(second.told('keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: undefined, reason: 'too-many' }] },
    ])
  })

  it('may be another', async () => {
    const { startWithKeys } = await setImmutableScene(3)
    const { kids, told } = await startWithKeys({ maxKeys: 2 })
    expect(kids()).toEqual(['key-1', 'key-2'])
    expect(told('keys-refused')).toMatchObject([{ count: 1, refused: [{ kid: undefined, reason: 'too-many' }] }])
  })
})

describe('a key that is published with its private half', () => {
  it('is dropped, the held copy too, and its tokens are refused', async () => {
    const { issuer, startWithKeys } = await setImmutableScene(2)
    const { registry, verdict, kids, told, toldKids } = await startWithKeys()
    const token = await issuer.sign()
    expect(await verdict(token)).toBe('accepted')
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk, ...issuer.jwks.keys.slice(1)] })
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: true })
    expect(kids()).toEqual(['key-2'])
    expect(told('keys-refused')).toEqual([
      { tenant, provider, count: 1, refused: [{ kid: 'key-1', reason: 'private' }] },
    ])
    expect(toldKids('key-removed')).toEqual(['key-1'])
    expect(await verdict(token)).toBe('ERR_KEY_NOT_FOUND')
  })

  it('is dropped although the answer is no good otherwise', async () => {
    const { issuer, startWithKeys } = await setImmutableScene()
    const { registry, kids } = await startWithKeys()
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk] })
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: false })
    expect(kids()).toEqual([])
  })

  it('does not come back out of the store, while its removal is written nor after a restart', async () => {
    const { issuer, store, startWithKeys, start } = await setImmutableScene(2)
    const { registry, kids, clock } = await startWithKeys()
    const third = await issuer.addKey()
    store.delay(100, clock)
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk, issuer.keys[1]?.publicJwk, third.publicJwk] })
    await registry.refresh(tenant, provider)
    for (let step = 0; step < 20; step += 1) {
      expect(kids()).not.toContain('key-1')
      await clock.advance(50)
      await settle(5)
    }
    expect(kids()).toEqual(['key-2', 'key-3'])
    store.recover()
    const second = await start()
    expect(second.kids()).toEqual(['key-2', 'key-3'])
  })

  it('does not come back either where it was the only one', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene()
    const first = await startWithKeys()
    const second = await start()
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk] })
    await first.registry.refresh(tenant, provider)
    await first.registry.persistAll()
    await second.registry.restore()
    await second.registry.persistAll()
    expect([first.kids(), second.kids(), (await start()).kids()]).toEqual([[], [], []])
  })

  it('does not come back from another process that has not heard of it', async () => {
    const { issuer, startWithKeys, start } = await setImmutableScene(2)
    const first = await startWithKeys()
    const second = await start()
    issuer.setJwks({ keys: [issuer.signingKey.privateJwk, issuer.keys[1]?.publicJwk] })
    await first.registry.refresh(tenant, provider)
    await settle()
    issuer.setJwks({ keys: [issuer.keys[1]?.publicJwk, (await issuer.addKey()).publicJwk] })
    await second.resolve('key-3')
    await settle()
    const third = await start()
    expect([second.kids(), third.kids()]).toEqual([
      ['key-2', 'key-3'],
      ['key-2', 'key-3'],
    ])
  })
})

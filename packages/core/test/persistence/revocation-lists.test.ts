import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { rejectionOf, until } from '../jwks-cache/scene.ts'
import { acme, areRevoked, globex, openLog, revoke } from './revocation-scene.ts'

/** Resolves when everything has happened that does not wait for the store. */
async function atRest(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('revocations in a store of three methods', () => {
  const list = { ...acme, provider: '.revoked.main' }

  it('are a signed list beside each snapshot', async () => {
    const store = memoryStore()
    const { log } = openLog(store, { keys: ['x'.repeat(32)] })
    await revoke(log, acme, 'a')
    expect(store.snapshots).toMatchObject([{ key: list, snapshot: { version: 1, keepUntil: null } }])
  })

  it('are all saved when a process revokes several keys at once', async () => {
    const store = memoryStore()
    const { log } = openLog(store)
    await Promise.all(['a', 'b', 'c', 'd'].map((kid) => revoke(log, acme, kid)))
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a', 'b', 'c', 'd')).toEqual([true, true, true, true])
  })

  it('are all saved when an earlier save of the process is slower than a later one', async () => {
    const store = memoryStore()
    let answer = (): void => undefined
    const slow = new Promise<void>((resolve) => {
      answer = resolve
    })
    let loads = 0
    const load: typeof store.load = async (key) => {
      loads += 1
      const isFirst = loads === 1
      const value = await store.load(key)
      if (isFirst) await slow
      return value
    }
    const { log } = openLog({ ...store, load })
    const first = revoke(log, acme, 'a')
    await until(() => loads === 1)
    const second = revoke(log, acme, 'b')
    await Promise.race([second, atRest()])
    answer()
    await Promise.all([first, second])
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a', 'b')).toEqual([true, true])
  })

  it('are complete again after the next load where two processes have revoked at the same time', async () => {
    const store = memoryStore()
    const [one, other] = [openLog(store), openLog(store)]
    await Promise.all([revoke(one.log, acme, 'a'), revoke(other.log, acme, 'b')])
    for (const { log } of [one, other]) await log.load(acme)
    const third = openLog(store)
    await third.log.load(acme)
    expect(areRevoked(third.log, acme, 'a', 'b')).toEqual([true, true])
    await one.log.load(acme)
    expect(areRevoked(one.log, acme, 'a', 'b')).toEqual([true, true])
  })

  it('are written again by the next load where the store was emptied', async () => {
    const store = memoryStore()
    const { log } = openLog(store)
    await revoke(log, acme, 'a')
    await store.delete(list)
    await log.load(acme)
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a')).toEqual([true])
  })

  it("refuse another provider's list with an event, and keep what the process has revoked", async () => {
    const store = memoryStore()
    const { log, events } = openLog(store)
    await revoke(log, acme, 'a')
    await revoke(log, globex, 'g')
    store.put(list, await store.load({ ...globex, provider: '.revoked.main' }))
    expect(await log.load(acme)).toBe(true)
    expect(events).toContainEqual(['snapshot-refused', { ...acme, reason: 'binding' }])
    expect(areRevoked(log, acme, 'a', 'g')).toEqual([true, false])
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a', 'g')).toEqual([true, false])
  })

  it('cannot be loaded while the store fails, and are saved when it works again', async () => {
    const store = memoryStore()
    store.fail()
    const { log, clock } = openLog(store)
    expect(await log.load(acme)).toBe(false)
    expect(await rejectionOf(revoke(log, acme, 'a'))).toMatchObject({ code: 'ERR_STORE_FAILED' })
    store.recover()
    await clock.advance(5_000)
    const other = openLog(store)
    await other.log.load(acme)
    expect(areRevoked(other.log, acme, 'a')).toEqual([true])
  })

  it('are not polled', async () => {
    const { log, clock } = openLog(memoryStore())
    await log.load(acme)
    expect(clock.pendingTimers).toBe(0)
  })
})

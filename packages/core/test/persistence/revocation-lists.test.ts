import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { acme, globex, hasAll, openBook, revoke } from './book-scene.ts'
import { rejectionOf, until } from './scene.ts'

/** Once all has happened that needs no answer of the store. */
async function atRest(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('revocations in a store of three methods', () => {
  const list = { ...acme, provider: '.revoked.main' }

  it('has a list beside each snapshot, sealed', async () => {
    const store = memoryStore()
    const { book } = openBook(store, ['x'.repeat(32)])
    await revoke(book, acme, 'a')
    expect(store.snapshots).toMatchObject([{ key: list, snapshot: { version: 1, keepUntil: null } }])
  })

  it('loses none when a process revokes several at once', async () => {
    const store = memoryStore()
    const { book } = openBook(store)
    await Promise.all(['a', 'b', 'c', 'd'].map((kid) => revoke(book, acme, kid)))
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a', 'b', 'c', 'd')).toEqual([true, true, true, true])
  })

  it('loses none when an earlier write of the same process is slower than a later one', async () => {
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
    const { book } = openBook({ ...store, load })
    const first = revoke(book, acme, 'a')
    await until(() => loads === 1)
    const second = revoke(book, acme, 'b')
    await Promise.race([second, atRest()])
    answer()
    await Promise.all([first, second])
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a', 'b')).toEqual([true, true])
  })

  it('loses none for good when two processes revoke at the same time: the next load of each heals it', async () => {
    const store = memoryStore()
    const [one, other] = [openBook(store), openBook(store)]
    await Promise.all([revoke(one.book, acme, 'a'), revoke(other.book, acme, 'b')])
    for (const { book } of [one, other]) await book.load(acme)
    const third = openBook(store)
    await third.book.load(acme)
    expect(hasAll(third.book, acme, 'a', 'b')).toEqual([true, true])
    await one.book.load(acme)
    expect(hasAll(one.book, acme, 'a', 'b')).toEqual([true, true])
  })

  it('that was emptied has the list again after the next load', async () => {
    const store = memoryStore()
    const { book } = openBook(store)
    await revoke(book, acme, 'a')
    await store.delete(list)
    await book.load(acme)
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a')).toEqual([true])
  })

  it("refuses another provider's list under its name, and says so; what it knows holds", async () => {
    const store = memoryStore()
    const { book, told } = openBook(store)
    await revoke(book, acme, 'a')
    await revoke(book, globex, 'g')
    store.put(list, await store.load({ ...globex, provider: '.revoked.main' }))
    expect(await book.load(acme)).toBe(true)
    expect(told).toContainEqual(['snapshot-refused', { ...acme, reason: 'binding' }])
    expect(hasAll(book, acme, 'a', 'g')).toEqual([true, false])
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a', 'g')).toEqual([true, false])
  })

  it('that fails cannot be loaded, and gets what it lacks when it returns', async () => {
    const store = memoryStore()
    store.fail()
    const { book, clock } = openBook(store)
    expect(await book.load(acme)).toBe(false)
    expect(await rejectionOf(revoke(book, acme, 'a'))).toMatchObject({ code: 'ERR_STORE_FAILED' })
    store.recover()
    await clock.advance(5_000)
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a')).toEqual([true])
  })

  it('has no timer to ask it by', async () => {
    const { book, clock } = openBook(memoryStore())
    await book.load(acme)
    expect(clock.pendingTimers).toBe(0)
  })
})

import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { acme, apartStore, globex, hasAll, openBook, revoke, unrevoke } from './book-scene.ts'
import { published } from './immutable-scene.ts'
import { rejectionOf } from './scene.ts'

describe('without a store', () => {
  it('has every load succeed and every record written, for as long as the process lives', async () => {
    const { book } = openBook(undefined)
    await revoke(book, acme, 'a')
    expect(await book.load(acme)).toBe(true)
    await book.refresh()
    expect(hasAll(book, acme, 'a', 'b')).toEqual([true, false])
    expect(hasAll(book, globex, 'a')).toEqual([false])
  })
})

describe.each(['a store that keeps revocations apart', 'a store of three methods'])('on %s', (name) => {
  const makeStore = () => (name.includes('apart') ? apartStore().store : memoryStore())

  it('has another process know what was revoked, of each provider, once it has loaded', async () => {
    const store = makeStore()
    const [one, other] = [openBook(store), openBook(store)]
    await revoke(one.book, acme, 'a')
    await revoke(one.book, globex, 'g')
    for (const key of [acme, globex]) expect(await other.book.load(key)).toBe(true)
    expect(hasAll(other.book, acme, 'a', 'g')).toEqual([true, false])
    expect(hasAll(other.book, globex, 'a', 'g')).toEqual([false, true])
    expect(other.revoked).toEqual([acme, globex])
    expect(other.told).toEqual([
      ['key-revoked', { ...acme, kid: 'a' }],
      ['key-revoked', { ...globex, kid: 'g' }],
    ])
  })

  it('has a later process know what was taken back', async () => {
    const store = makeStore()
    const one = openBook(store)
    await revoke(one.book, acme, 'a')
    await revoke(one.book, acme, 'b')
    await unrevoke(one.book, acme, 'a')
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a', 'b')).toEqual([false, true])
  })

  it('writes down what a revocation has learned of its material', async () => {
    const store = makeStore()
    const one = openBook(store)
    await revoke(one.book, acme, 'a')
    await one.book.of(acme).filter(published(['a', 'secret']))
    await one.clock.advance(0)
    const other = openBook(store)
    await other.book.load(acme)
    expect((await other.book.of(acme).filter(published(['renamed', 'secret'], ['b', 'good']))).keys).toHaveLength(1)
  })

  it('writes nothing where nothing was changed', async () => {
    const store = makeStore()
    const { book } = openBook(store)
    await book.persist(acme, [])
    expect(await book.load(acme)).toBe(true)
    expect(await store.load({ ...acme, provider: '.revoked.main' })).toBeUndefined()
  })

  it('accepts nothing that another integrityKey has sealed, and says so', async () => {
    const store = makeStore()
    const [one, other] = [openBook(store, ['x'.repeat(32)]), openBook(store, ['y'.repeat(32)])]
    await revoke(one.book, acme, 'a')
    expect(await other.book.load(acme)).toBe(true)
    expect(hasAll(other.book, acme, 'a')).toEqual([false])
    expect(other.told).toMatchObject([['snapshot-refused', { reason: 'integrity' }]])
  })
})

describe('a store that keeps revocations apart', () => {
  it('is asked every two seconds, and read only when its revision has changed', async () => {
    const { store, calls } = apartStore()
    const { book, clock } = openBook(store)
    await book.load(acme)
    expect(calls).toEqual({ revision: 1, load: 1, save: 0 })
    await clock.advance(10_000)
    expect(calls).toEqual({ revision: 6, load: 1, save: 0 })
    await book.load(globex)
    expect(calls).toEqual({ revision: 6, load: 1, save: 0 })
    await revoke(openBook(store).book, acme, 'a')
    await clock.advance(2_000)
    expect(calls).toEqual({ revision: 7, load: 2, save: 1 })
    expect(hasAll(book, acme, 'a')).toEqual([true])
  })

  it('is not asked before a provider is loaded, nor after the registry is closed', async () => {
    const { store, calls } = apartStore()
    const { book, clock, close } = openBook(store)
    await clock.advance(10_000)
    expect(calls.revision).toBe(0)
    await book.load(acme)
    close()
    await clock.advance(10_000)
    expect(calls.revision).toBe(1)
    expect(clock.pendingTimers).toBe(0)
  })

  it('has each process write its own records only: two that revoke at the same time lose none', async () => {
    const { store, kept } = apartStore()
    const [one, other] = [openBook(store), openBook(store)]
    await Promise.all([revoke(one.book, acme, 'a'), revoke(other.book, acme, 'b'), revoke(other.book, acme, 'a')])
    expect(kept.size).toBe(3)
    await Promise.all([one.book.refresh(), other.book.refresh()])
    for (const { book } of [one, other]) expect(hasAll(book, acme, 'a', 'b')).toEqual([true, true])
  })

  it('that was emptied gets everything back from a process that runs', async () => {
    const { store, kept } = apartStore()
    const { book, clock } = openBook(store)
    await book.load(acme)
    await revoke(book, acme, 'a')
    await revoke(book, globex, 'g')
    await unrevoke(book, globex, 'g')
    await clock.advance(2_000)
    kept.clear()
    await clock.advance(2_000)
    expect(kept.size).toBe(2)
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a')).toEqual([true])
    expect(hasAll(other.book, globex, 'g')).toEqual([false])
  })

  it('that has an old record again where it was lifted gets the lifting back', async () => {
    const { store, kept } = apartStore()
    const { book, clock } = openBook(store)
    await book.load(acme)
    await revoke(book, acme, 'a')
    const [[id = '', old] = []] = kept
    await unrevoke(book, acme, 'a')
    await clock.advance(2_000)
    await store.revocations?.save(id, Object(old))
    await clock.advance(2_000)
    expect(hasAll(book, acme, 'a')).toEqual([false])
    const other = openBook(store)
    await other.book.load(acme)
    expect(hasAll(other.book, acme, 'a')).toEqual([false])
  })

  it.each([
    ['foreign', { hello: 'world' }],
    ['cut off', 'not JSON at all'],
    ['of a snapshot', { version: 1, payload: '{}', keepUntil: null, integrity: 'hmac-sha256:x' }],
  ])('that has a record that is %s refuses that one alone, and says so', async (_, wrong) => {
    const { store, kept } = apartStore()
    const keys = ['x'.repeat(32)]
    await revoke(openBook(store, keys).book, acme, 'a')
    kept.set('0'.repeat(32), wrong)
    await revoke(openBook(store, keys).book, globex, 'g')
    const { book, told } = openBook(store, keys)
    expect(await book.load(acme)).toBe(true)
    expect([...hasAll(book, acme, 'a'), ...hasAll(book, globex, 'g')]).toEqual([true, true])
    expect(told.filter(([type]) => type === 'snapshot-refused')).toHaveLength(1)
  })

  it('that fails cannot be loaded: what it knows is not to be left out', async () => {
    const { store, fail } = apartStore()
    const one = openBook(store)
    await revoke(one.book, acme, 'a')
    fail(true)
    const { book, clock } = openBook(store)
    expect(await book.load(acme)).toBe(false)
    fail(false)
    await clock.advance(1_000)
    expect(hasAll(book, acme, 'a')).toEqual([true])
    expect(await book.load(acme)).toBe(true)
  })

  it('that could not take a record gets it when it returns, and what others wrote is read', async () => {
    const { store, kept, fail } = apartStore()
    const { book, clock } = openBook(store)
    await book.load(acme)
    await revoke(openBook(store).book, globex, 'g')
    fail(true)
    expect(await rejectionOf(revoke(book, acme, 'a'))).toMatchObject({ code: 'ERR_STORE_FAILED' })
    expect(await rejectionOf(revoke(book, acme, 'b'))).toMatchObject({ code: 'ERR_STORE_FAILED' })
    expect(hasAll(book, acme, 'a', 'b')).toEqual([true, true])
    expect(kept.size).toBe(1)
    fail(false)
    await clock.advance(5_000)
    expect(kept.size).toBe(3)
    expect(hasAll(book, globex, 'g')).toEqual([true])
  })

  it('that has lost its content while it was away gets it back, although its revision says nothing of that', async () => {
    const { store, kept, fail } = apartStore()
    const { revocations } = store
    const revision = async () => {
      await revocations?.revision()
      return 'the same'
    }
    const mute = revocations && { ...store, revocations: { ...revocations, revision } }
    const { book, clock } = openBook(mute)
    await book.load(acme)
    await revoke(book, acme, 'a')
    fail(true)
    await clock.advance(2_000)
    kept.clear()
    fail(false)
    await clock.advance(5_000)
    expect(kept.size).toBe(1)
  })
})

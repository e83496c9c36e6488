import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClientVersion, ioredis5, ioredis6, type TestClient } from './clients.ts'
import { eventually } from './eventually.ts'
import { newKey, snapshotOf, storeOf, type WholeStore } from './records.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

const LONG = 60_000

describe.skipIf(!redisAvailable)('a lease in Redis', () => {
  let server: RedisServer
  let clients: TestClient[]
  let stores: WholeStore[]
  let store: WholeStore
  beforeAll(async () => {
    server = await startRedisServer()
    // As many processes of a fleet, with both versions of the client; one gives numbers as strings.
    const fleet: [ClientVersion, object][] = [
      [ioredis6, {}],
      [ioredis6, { stringNumbers: true }],
      [ioredis6, { enableAutoPipelining: true }],
      [ioredis5, {}],
    ]
    clients = fleet.map(([version, options]) => version.single(server.port, options))
    stores = clients.map((client) => storeOf({ client }))
    store = storeAt(0)
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await server.stop()
  })

  function storeAt(index: number): WholeStore {
    const store = stores[index % stores.length]
    if (store === undefined) throw new Error(`there is no store ${index}`)
    return store
  }

  const leaseOf = ({ provider }: { readonly provider: string }) => `jwks-auth:{acme/${provider}}:lease`

  it('goes to one of many processes that acquire it at the same moment', async () => {
    const key = newKey()
    const states = await Promise.all(
      Array.from({ length: 200 }, (_, index) => storeAt(index).coordination.acquire(key, `${index}`, LONG)),
    )
    expect(states.filter((state) => state.holder === 'own')).toHaveLength(1)
    expect(states.filter((state) => state.holder === 'other')).toHaveLength(199)
  })

  it('comes with the current generation, for holder and others alike', async () => {
    const key = newKey()
    expect(await store.coordination.acquire(key, 'a', LONG)).toEqual({ holder: 'own', generation: undefined })
    await store.coordination.saveIf(key, snapshotOf('x'), undefined, 'next')
    expect(await store.coordination.acquire(key, 'b', LONG)).toEqual({ holder: 'other', generation: 'next' })
    expect(await store.coordination.inspect(key)).toEqual({ holder: 'other', generation: 'next' })
  })

  it('lasts as long as was asked for', async () => {
    const key = newKey()
    await store.coordination.acquire(key, 'a', LONG)
    const left = Number(await server.command('PTTL', leaseOf(key)))
    expect(left).toBeGreaterThan(LONG - 10_000)
    expect(left).toBeLessThanOrEqual(LONG)
  })

  it('is free when it has expired', async () => {
    const key = newKey()
    await store.coordination.acquire(key, 'a', 20)
    await eventually('free', async () => (await store.coordination.inspect(key)).holder === 'none')
    expect((await store.coordination.acquire(key, 'b', LONG)).holder).toBe('own')
  })

  it('is extended when its holder acquires it again', async () => {
    const key = newKey()
    await store.coordination.acquire(key, 'a', 5_000)
    expect((await store.coordination.acquire(key, 'a', LONG)).holder).toBe('own')
    expect(Number(await server.command('PTTL', leaseOf(key)))).toBeGreaterThan(5_000)
  })

  it('is renewed by its holder only', async () => {
    const key = newKey()
    await store.coordination.acquire(key, 'a', 5_000)
    expect(await store.coordination.renew(key, 'b', LONG)).toBe(false)
    expect(Number(await server.command('PTTL', leaseOf(key)))).toBeLessThanOrEqual(5_000)
    expect(await store.coordination.renew(key, 'a', LONG)).toBe(true)
    expect(Number(await server.command('PTTL', leaseOf(key)))).toBeGreaterThan(5_000)
  })

  it('is not renewed once it has expired', async () => {
    const key = newKey()
    await store.coordination.acquire(key, 'a', 1)
    await eventually('free', async () => (await store.coordination.inspect(key)).holder === 'none')
    expect(await store.coordination.renew(key, 'a', LONG)).toBe(false)
    expect((await store.coordination.inspect(key)).holder).toBe('none')
  })

  it('is released by its holder only', async () => {
    const key = newKey()
    await store.coordination.acquire(key, 'a', LONG)
    await store.coordination.release(key, 'b')
    expect((await store.coordination.inspect(key)).holder).toBe('other')
    await store.coordination.release(key, 'a')
    expect((await store.coordination.inspect(key)).holder).toBe('none')
    await store.coordination.release(key, 'a')
  })

  it.each([0, -5, 0.3])('lasts a millisecond where %d was asked for', async (ttl) => {
    expect((await store.coordination.acquire(newKey(), 'a', ttl)).holder).toBe('own')
  })

  it('that was lost prevents a late holder from saving', async () => {
    const key = newKey()
    const late = await store.coordination.acquire(key, 'late', 1)
    await eventually('free', async () => (await store.coordination.inspect(key)).holder === 'none')
    const next = await store.coordination.acquire(key, 'next', LONG)
    expect(await store.coordination.saveIf(key, snapshotOf('next'), next.generation, 'g-next')).toBe(true)
    expect(await store.coordination.saveIf(key, snapshotOf('late'), late.generation, 'g-late')).toBe(false)
    expect(await store.coordination.load(key)).toEqual({ snapshot: snapshotOf('next'), generation: 'g-next' })
  })

  it('does not change how long a snapshot is kept', async () => {
    const key = newKey()
    const keepUntil = Date.now() + LONG * 60
    expect(
      await store.coordination.saveIf(key, snapshotOf('a', new Date(keepUntil).toISOString()), undefined, 'g'),
    ).toBe(true)
    expect(await server.command('PEXPIRETIME', leaseOf(key).replace('lease', 'snapshot'))).toBe(keepUntil)
  })

  it('lets one of many processes save that saw the same generation', async () => {
    const key = newKey()
    await store.save(key, snapshotOf('a'))
    const { generation } = await store.coordination.load(key)
    const saved = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        storeAt(index).coordination.saveIf(key, snapshotOf(`${index}`), generation, `g-${index}`),
      ),
    )
    expect(saved.filter(Boolean)).toHaveLength(1)
    expect(await store.load(key)).toEqual(snapshotOf(`${saved.indexOf(true)}`))
  })

  it('lets no process save as the first one where a snapshot exists', async () => {
    const key = newKey()
    await store.save(key, snapshotOf('a'))
    expect(await store.coordination.saveIf(key, snapshotOf('b'), undefined, 'g')).toBe(false)
    expect(await store.coordination.saveIf(key, snapshotOf('b'), 'other', 'g')).toBe(false)
    expect(await store.load(key)).toEqual(snapshotOf('a'))
  })

  it('confirms a save that is sent again because its reply was lost', async () => {
    const key = newKey()
    expect(await store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')).toBe(true)
    expect(await store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')).toBe(true)
  })

  describe.each([0, 1, 2, 3])('through client %d', (index) => {
    it('grants the refetch budget once until it expires or is returned', async () => {
      const key = newKey()
      const { coordination } = storeAt(index)
      expect(await coordination.reserveRefetch(key, 'a', LONG)).toBe(true)
      expect(await coordination.reserveRefetch(key, 'b', LONG)).toBe(false)
      expect(await coordination.reserveRefetch(key, 'a', LONG)).toBe(true)
      await coordination.returnRefetch(key, 'b')
      expect(await coordination.reserveRefetch(key, 'b', LONG)).toBe(false)
      await coordination.returnRefetch(key, 'a')
      expect(await coordination.reserveRefetch(key, 'b', 1)).toBe(true)
      await eventually('over', () => coordination.reserveRefetch(key, 'c', LONG))
    })
  })

  it('is independent of the refetch budget', async () => {
    const key = newKey()
    await store.coordination.reserveRefetch(key, 'a', LONG)
    expect((await store.coordination.inspect(key)).holder).toBe('none')
    await store.coordination.release(key, 'a')
    expect(await store.coordination.reserveRefetch(key, 'b', LONG)).toBe(false)
  })
})

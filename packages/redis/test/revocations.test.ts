import { redisStore } from '@jwks-auth/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type TestClient, versions } from './clients.ts'
import { idOf, isoTimeIn, snapshotOf, storeOf, type WholeStore } from './records.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

describe.skipIf(!redisAvailable)('revocations in Redis', () => {
  let server: RedisServer
  let clients: TestClient[]
  let stores: WholeStore[]
  let store: WholeStore
  beforeAll(async () => {
    server = await startRedisServer()
    clients = versions.map((version) => version.single(server.port))
    stores = clients.map((client) => storeOf({ client }))
    store = storeOf({ client: clientOf(0) })
  })
  beforeEach(() => server.command('FLUSHALL'))
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await server.stop()
  })

  function clientOf(index: number): TestClient {
    const client = clients[index]
    if (client === undefined) throw new Error(`there is no client ${index}`)
    return client
  }

  it('are empty at first', async () => {
    expect(await store.revocations.load()).toEqual([])
  })

  it('are all saved by many processes at the same moment', async () => {
    const ids = Array.from({ length: 100 }, (_, index) => index)
    await Promise.all(ids.map((id) => stores[id % stores.length]?.revocations.save(idOf(id), snapshotOf(`${id}`))))
    const loaded = await store.revocations.load()
    expect(new Set(loaded)).toEqual(new Set(ids.map((id) => snapshotOf(`${id}`))))
    expect(loaded).toHaveLength(100)
  })

  it('replace only the one of the same id', async () => {
    await store.revocations.save(idOf(1), snapshotOf('a'))
    await store.revocations.save(idOf(2), snapshotOf('b'))
    await store.revocations.save(idOf(1), snapshotOf('c'))
    expect(new Set(await store.revocations.load())).toEqual(new Set([snapshotOf('c'), snapshotOf('b')]))
  })

  it('never expire', async () => {
    await store.revocations.save(idOf(1), snapshotOf('a', isoTimeIn(1_000)))
    expect(await server.command('PTTL', 'jwks-auth:{revocations}')).toBe(-1)
  })

  it('keep their revision until the next save', async () => {
    expect(await store.revocations.revision()).toBe(await store.revocations.revision())
    await store.revocations.save(idOf(1), snapshotOf('a'))
    expect(await stores[1]?.revocations.revision()).toBe(await store.revocations.revision())
  })

  it('have another revision after each save of any process, even of the same record', async () => {
    const seen = new Set([await store.revocations.revision()])
    for (const { revocations } of [...stores, ...stores]) {
      await revocations.save(idOf(1), snapshotOf('a'))
      seen.add(await store.revocations.revision())
    }
    expect(seen.size).toBe(1 + 2 * stores.length)
  })

  it.each(['FLUSHALL', 'DEL jwks-auth:{revocations}'])(
    'have another revision after %s, and after saving anew',
    async (loss) => {
      const seen = new Set<string>()
      for (let times = 0; times < 2; times++) {
        await store.revocations.save(idOf(1), snapshotOf('a'))
        seen.add(await store.revocations.revision())
      }
      const [command = '', ...keys] = loss.split(' ')
      await server.command(command, ...keys)
      seen.add(await store.revocations.revision())
      expect(seen.size).toBe(3)
      await store.revocations.save(idOf(1), snapshotOf('a'))
      seen.add(await store.revocations.revision())
      expect(seen.size).toBe(4)
    },
  )

  it('have the old revision when an old content is restored', async () => {
    await store.revocations.save(idOf(1), snapshotOf('a'))
    const revision = await store.revocations.revision()
    await server.command('COPY', 'jwks-auth:{revocations}', 'backup')
    await store.revocations.save(idOf(2), snapshotOf('b'))
    await server.command('RENAME', 'backup', 'jwks-auth:{revocations}')
    expect(await store.revocations.revision()).toBe(revision)
  })

  it('are returned as text where they are not JSON, beside the others', async () => {
    await store.revocations.save(idOf(1), snapshotOf('a'))
    await server.command('HSET', 'jwks-auth:{revocations}', idOf(2), '{')
    expect(new Set(await store.revocations.load())).toEqual(new Set([snapshotOf('a'), '{']))
  })

  it.each(['', 'revision', idOf(1).slice(1), `${idOf(1)}0`, idOf(10).toUpperCase()])('have no id %j', async (id) => {
    await expect(store.revocations.save(id, snapshotOf('a'))).rejects.toThrow(TypeError)
    expect(await store.revocations.load()).toEqual([])
  })

  it('are kept without coordination, too', async () => {
    const { revocations } = redisStore({ client: clientOf(0), coordinate: false })
    await revocations?.save(idOf(1), snapshotOf('a'))
    expect(await store.revocations.load()).toEqual([snapshotOf('a')])
  })
})

import type { ProviderKey } from '@jwks-auth/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ioredis6, type TestClient } from './clients.ts'
import { idOf, newKey, snapshotOf, storeOf, type WholeStore } from './records.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

const TTL = 3_000
const MINUTE = 60_000
const REVOCATIONS = 'jwks-auth:{revocations}'

type Command = readonly [name: string, ...values: (string | number)[]]

/** Values that this package never writes, under a name of ours. */
const wrongTypes: readonly (readonly [string, (name: string) => Command])[] = [
  ['a list', (name) => ['RPUSH', name, 'a', 'b']],
  ['a set', (name) => ['SADD', name, 'a']],
  ['a sorted set', (name) => ['ZADD', name, 1, 'a']],
  ['a stream', (name) => ['XADD', name, '*', 'a', 'b']],
]

describe.skipIf(!redisAvailable)('values that another program wrote to Redis', () => {
  let server: RedisServer
  let client: TestClient
  let store: WholeStore
  let key: ProviderKey
  let nameOf: (kind: string) => string
  beforeAll(async () => {
    server = await startRedisServer()
    client = ioredis6.single(server.port)
    store = storeOf({ client })
  })
  beforeEach(async () => {
    key = newKey()
    nameOf = (kind) => `jwks-auth:{acme/${key.provider}}:${kind}`
    await server.command('DEL', REVOCATIONS)
  })
  afterAll(async () => {
    client.disconnect()
    await server.stop()
  })

  const run = async ([name, ...values]: Command) => await server.command(name, ...values)

  const strangers: readonly (readonly [string, (name: string) => Command])[] = [
    ['without an expiry', (name) => ['SET', name, 'stranger']],
    ['for a year', (name) => ['SET', name, 'stranger', 'PX', 365 * 24 * 60 * MINUTE]],
    ['for a second longer than was asked for', (name) => ['SET', name, 'stranger', 'PX', TTL + 1_000]],
    ['of a megabyte', (name) => ['SET', name, 'x'.repeat(1_048_576), 'PX', TTL]],
    ...wrongTypes,
    ['a hash', (name) => ['HSET', name, 'a', 'b']],
  ]

  it.each(strangers)('count as an expired lease: %s', async (_, command) => {
    await store.coordination.acquire(newKey(), 'other', TTL)
    await run(command(nameOf('lease')))
    expect((await store.coordination.inspect(key)).holder).toBe('none')
    expect(await store.coordination.renew(key, 'stranger', TTL)).toBe(false)
    await store.coordination.shareFailure(key, 'stranger', snapshotOf('failed'), TTL)
    expect((await store.coordination.inspect(key)).failure).toBeUndefined()
    expect((await store.coordination.acquire(key, 'own', TTL)).holder).toBe('own')
    expect((await store.coordination.acquire(key, 'other', TTL)).holder).toBe('other')
    expect(Number(await server.command('PTTL', nameOf('lease')))).toBeLessThanOrEqual(TTL)
    await store.coordination.release(key, 'own')
    expect((await store.coordination.inspect(key)).holder).toBe('none')
  })

  it('count as an expired lease for a process that never asked for one', async () => {
    const idle = storeOf({ client })
    await run(['SET', nameOf('lease'), 'stranger', 'PX', 2 * MINUTE])
    expect((await idle.coordination.inspect(key)).holder).toBe('none')
    await run(['SET', nameOf('lease'), 'stranger', 'PX', TTL])
    expect((await idle.coordination.inspect(key)).holder).toBe('other')
  })

  it.each(strangers)('count as a free refetch budget: %s', async (_, command) => {
    await run(command(nameOf('refetch')))
    await store.coordination.returnRefetch(key, 'other')
    expect(await store.coordination.reserveRefetch(key, 'own', TTL)).toBe(true)
    expect(await store.coordination.reserveRefetch(key, 'other', TTL)).toBe(false)
    expect(Number(await server.command('PTTL', nameOf('refetch')))).toBeLessThanOrEqual(TTL)
  })

  it.each(strangers.filter(([name]) => !name.includes('second')))('count as no failure: %s', async (_, command) => {
    await run(command(nameOf('failure')))
    expect(await store.coordination.acquire(key, 'own', TTL)).toEqual({ holder: 'own', generation: undefined })
    await store.coordination.shareFailure(key, 'own', snapshotOf('failed'), TTL)
    expect((await store.coordination.inspect(key)).failure).toEqual(snapshotOf('failed'))
  })

  it.each(['{', '['.repeat(8_000), ''])('are returned as a failure for the registry to judge: %j', async (text) => {
    await run(['SET', nameOf('failure'), text, 'PX', TTL])
    expect((await store.coordination.inspect(key)).failure).toEqual(text)
  })

  const strangeSnapshots: readonly (readonly [string, (name: string) => Command, unknown])[] = [
    ...wrongTypes.map(([name, command]) => [name, command, expect.stringContaining('a value of type')] as const),
    ['text', (name) => ['SET', name, 'x'], 'a value of type string'],
    [
      'a snapshot of 17 MB',
      (name) => ['HSET', name, 'snapshot', 'x'.repeat(17 * 1_048_576), 'generation', ''],
      'longer than 16777216 bytes',
    ],
    ['a generation of a megabyte', (name) => ['HSET', name, 'generation', 'x'.repeat(1_048_576)], undefined],
  ]

  it.each(strangeSnapshots)('count as no snapshot, and are replaced: %s', async (_, command, loaded) => {
    for (const save of [
      () => store.save(key, snapshotOf('a')),
      () => store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g'),
    ]) {
      await store.delete(key)
      await run(command(nameOf('snapshot')))
      expect(await store.load(key)).toEqual(loaded)
      expect(await store.coordination.load(key)).toEqual({ snapshot: loaded, generation: undefined })
      expect(await store.coordination.acquire(key, 'own', TTL)).toEqual({ holder: 'own', generation: undefined })
      await store.setAside(key)
      await save()
      expect(await store.load(key)).toEqual(snapshotOf('a'))
    }
  })

  it('are set aside as a note where they are large', async () => {
    await run(['HSET', nameOf('snapshot'), 'snapshot', 'x'.repeat(17 * 1_048_576), 'other', 'y'.repeat(1_048_576)])
    await run(['RPUSH', nameOf('refused'), 'in the way'])
    await store.setAside(key)
    expect(await server.command('HGET', nameOf('refused'), 'snapshot')).toBe('longer than 65536 bytes: 17825792')
    expect(Number(await server.command('MEMORY', 'USAGE', nameOf('refused')))).toBeLessThan(1_000)
  })

  it('may be any generation of a usual length: it is compared, and replaced by the next', async () => {
    await store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')
    await run(['HSET', nameOf('snapshot'), 'generation', '9'.repeat(128)])
    expect((await store.coordination.inspect(key)).generation).toBe('9'.repeat(128))
    expect(await store.coordination.saveIf(key, snapshotOf('b'), '9'.repeat(128), 'next')).toBe(true)
    expect(await store.coordination.load(key)).toEqual({ snapshot: snapshotOf('b'), generation: 'next' })
  })

  it.each([...wrongTypes, ['text', (name: string): Command => ['SET', name, 'x']] as const])(
    'are one refused record instead of the revocations, which are saved again: %s',
    async (_, command) => {
      await run(command(REVOCATIONS))
      expect(await store.revocations.revision()).toBe('empty')
      expect(await store.revocations.load()).toEqual([expect.stringContaining('a value of type')])
      await store.revocations.save(idOf(1), snapshotOf('a'))
      expect(await store.revocations.load()).toEqual([snapshotOf('a')])
    },
  )

  it('do not hide revocations: records of a megabyte, deeply nested ones, long names, a long revision', async () => {
    await store.revocations.save(idOf(1), snapshotOf('a'))
    const nested = '['.repeat(8_192)
    await run(['HSET', REVOCATIONS, idOf(2), 'x'.repeat(1_048_576), idOf(3), nested, 'n'.repeat(1_048_576), 'y'])
    await run(['HSET', REVOCATIONS, 'revision', 'r'.repeat(1_048_576)])
    const records = await store.revocations.load()
    expect(records).toHaveLength(4)
    expect(records).toEqual(expect.arrayContaining([snapshotOf('a'), 'longer than 8192 bytes', nested, 'y']))
    const revision = await store.revocations.revision()
    await store.revocations.save(idOf(4), snapshotOf('b'))
    expect(await store.revocations.revision()).not.toBe(revision)
    expect(await store.revocations.load()).toEqual(expect.arrayContaining([snapshotOf('a'), snapshotOf('b')]))
  })

  it('do not make revocations expire', async () => {
    await store.revocations.save(idOf(1), snapshotOf('a'))
    await run(['PEXPIRE', REVOCATIONS, MINUTE])
    await store.revocations.save(idOf(2), snapshotOf('b'))
    expect(await server.command('PTTL', REVOCATIONS)).toBe(-1)
  })

  it('are loaded up to 20 000 revocations, page by page, and a record says that there are more', async () => {
    for (const [count, loaded] of [
      [10_000, 10_000],
      [20_000, 20_000],
      [20_500, 20_001],
    ] as const) {
      const pairs = Array.from({ length: count }, (_, index) => [idOf(index), JSON.stringify(snapshotOf(`${index}`))])
      await run(['HSET', REVOCATIONS, ...pairs.flat()])
      await server.command('CONFIG', 'RESETSTAT')
      const records = await store.revocations.load()
      expect(records).toHaveLength(loaded)
      expect(new Set(records.map((record) => JSON.stringify(record))).size).toBe(loaded)
      expect(records.includes('more than 20000 records: the rest was not read')).toBe(count > 20_000)
      // No command keeps the server busy with all of them.
      const stats = String(await server.command('INFO', 'commandstats'))
      const scans = Number(/cmdstat_hscan:calls=(\d+)/.exec(stats)?.[1])
      expect(scans).toBeGreaterThan(count / 2_000)
    }
  })

  it('are not written where they are longer than can be read again', async () => {
    await expect(store.revocations.save(idOf(1), snapshotOf('x'.repeat(8_192)))).rejects.toThrow(RangeError)
    expect(await store.revocations.load()).toEqual([])
  })

  it('are none after the server was emptied', async () => {
    await store.coordination.acquire(key, 'own', TTL)
    await store.coordination.shareFailure(key, 'own', snapshotOf('failed'), TTL)
    await server.command('FLUSHALL')
    expect(await store.coordination.inspect(key)).toEqual({ holder: 'none', generation: undefined })
    await store.coordination.shareFailure(key, 'own', snapshotOf('failed'), TTL)
    expect(await store.coordination.inspect(key)).toEqual({ holder: 'none', generation: undefined })
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ioredis6, type TestClient } from './clients.ts'
import { newKey, snapshotOf, storeOf, type WholeStore } from './records.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

const DAY = 86_400_000

describe.skipIf(!redisAvailable)('a snapshot in Redis', () => {
  let server: RedisServer
  let client: TestClient
  let store: WholeStore
  beforeAll(async () => {
    server = await startRedisServer()
    client = ioredis6.single(server.port)
    store = storeOf({ client })
  })
  afterAll(async () => {
    client.disconnect()
    await server.stop()
  })

  /** Milliseconds that a key has left; -1 without an expiry, -2 where there is none. */
  async function timeLeft(name: string): Promise<number> {
    return Number(await server.command('PTTL', name))
  }

  it('is read as it was saved', async () => {
    const key = newKey()
    const snapshot = snapshotOf('{"a":1.0,"ü":"\\u0000 \r\n \' \\" 🔑"}', '2030-03-17T17:46:40.000Z')
    await store.save(key, snapshot)
    expect(await store.load(key)).toEqual(snapshot)
  })

  it('is a hash of its text and its generation, under a name with the hash tag of its provider', async () => {
    const key = { tenant: 'Acme', provider: '.revoked.x_Y-1' }
    await store.save(key, snapshotOf('a'))
    const name = 'jwks-auth:{Acme/.revoked.x_Y-1}:snapshot'
    expect(await server.command('HGET', name, 'snapshot')).toBe(JSON.stringify(snapshotOf('a')))
    expect(await server.command('HGET', name, 'generation')).toMatch(/^[0-9a-f]{32}$/)
    expect(await server.command('HLEN', name)).toBe(2)
  })

  it('expires with keepUntil', async () => {
    const key = newKey()
    const keepUntil = Date.now() + DAY
    await store.save(key, snapshotOf('a', new Date(keepUntil).toISOString()))
    expect(await server.command('PEXPIRETIME', nameOf(key))).toBe(keepUntil)
  })

  it.each([
    ['is over', new Date(Date.now() - DAY).toISOString()],
    ['is long over', new Date(0).toISOString()],
    ['never was', new Date(-DAY).toISOString()],
    ['is almost over', new Date(Date.now() + 1_000).toISOString()],
  ])('is kept for a minute where keepUntil %s by the clock of the server', async (_, keepUntil) => {
    const key = newKey()
    await store.save(key, snapshotOf('a', keepUntil))
    const left = await timeLeft(nameOf(key))
    expect(left).toBeGreaterThan(50_000)
    expect(left).toBeLessThanOrEqual(60_000)
  })

  it.each([
    ['null', null],
    ['beyond what a date can tell', '+999999-01-01T00:00:00.000Z'],
    ['no time', 'for ever'],
  ])('does not expire where keepUntil is %s, even if an earlier one did', async (_, keepUntil) => {
    const key = newKey()
    await store.save(key, snapshotOf('a', new Date(Date.now() + DAY).toISOString()))
    await store.save(key, snapshotOf('b', keepUntil))
    expect(await timeLeft(nameOf(key))).toBe(-1)
  })

  it('has another generation after every save', async () => {
    const key = newKey()
    await store.save(key, snapshotOf('a'))
    const { generation } = await store.coordination.load(key)
    await store.save(key, snapshotOf('a'))
    expect((await store.coordination.load(key)).generation).not.toBe(generation)
  })

  it('is returned as text where it is not JSON', async () => {
    const key = newKey()
    await server.command('HSET', nameOf(key), 'snapshot', '{"version":', 'generation', '')
    expect(await store.load(key)).toBe('{"version":')
    expect(await store.coordination.load(key)).toEqual({ snapshot: '{"version":', generation: undefined })
  })

  it('is set aside as a copy for thirty days', async () => {
    const key = newKey()
    await store.save(key, snapshotOf('a'))
    await store.setAside(key)
    const copy = nameOf(key).replace('snapshot', 'refused')
    expect(await server.command('HGET', copy, 'snapshot')).toBe(JSON.stringify(snapshotOf('a')))
    const left = await timeLeft(copy)
    expect(left).toBeGreaterThan(29 * DAY)
    expect(left).toBeLessThanOrEqual(30 * DAY)
    expect(await store.load(key)).toEqual(snapshotOf('a'))
  })

  it('replaces one that was set aside before', async () => {
    const key = newKey()
    for (const payload of ['a', 'b']) {
      await store.save(key, snapshotOf(payload))
      await store.setAside(key)
    }
    const copy = nameOf(key).replace('snapshot', 'refused')
    expect(await server.command('HGET', copy, 'snapshot')).toBe(JSON.stringify(snapshotOf('b')))
  })

  it('is not set aside where there is none', async () => {
    const key = newKey()
    await store.setAside(key)
    expect(await timeLeft(nameOf(key).replace('snapshot', 'refused'))).toBe(-2)
  })

  it('is deleted with its generation, and can be deleted again', async () => {
    const key = newKey()
    await store.save(key, snapshotOf('a'))
    await store.delete(key)
    await store.delete(key)
    expect(await store.coordination.load(key)).toEqual({ snapshot: undefined, generation: undefined })
  })

  it.each(['', 'a}b', 'a{b', 'a/b', 'a b', 'a:b', 'ü'])('has no key with the name %j in it', async (name) => {
    const load = store.load({ tenant: name, provider: 'a' })
    await expect(load).rejects.toThrow(TypeError)
    await expect(load).rejects.toThrow('tenant must')
    await expect(store.save({ tenant: 'a', provider: name }, snapshotOf('a'))).rejects.toThrow('provider must')
  })

  it('is not seen under another key whose names join to the same text', async () => {
    await store.save({ tenant: 'ab', provider: 'c' }, snapshotOf('a'))
    expect(await store.load({ tenant: 'a', provider: 'bc' })).toBeUndefined()
  })

  it('is not seen through another namespace or another prefix', async () => {
    const key = newKey()
    await store.save(key, snapshotOf('a'))
    expect(await storeOf({ client, namespace: 'other' }).load(key)).toBeUndefined()
    const prefixed = ioredis6.single(server.port, { keyPrefix: 'app:' })
    const other = storeOf({ client: prefixed })
    expect(await other.load(key)).toBeUndefined()
    await other.save(key, snapshotOf('b'))
    expect(await server.command('EXISTS', `app:${nameOf(key)}`)).toBe(1)
    expect(await store.load(key)).toEqual(snapshotOf('a'))
    prefixed.disconnect()
  })
})

function nameOf({ tenant, provider }: { readonly tenant: string; readonly provider: string }): string {
  return `jwks-auth:{${tenant}/${provider}}:snapshot`
}

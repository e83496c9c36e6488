import type { ProviderKey } from '@jwks-auth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TestClient, versions } from './clients.ts'
import { eventually } from './eventually.ts'
import { idOf, isoTimeIn, newKey, snapshotOf, storeOf, type WholeStore } from './records.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

const LONG = 60_000

describe.skipIf(!redisAvailable).each(versions)('a Redis that fails, through $name', (version) => {
  let server: RedisServer
  let client: TestClient
  let store: WholeStore
  let key: ProviderKey
  beforeEach(async () => {
    server = await startRedisServer()
    // Fails fast, as many applications set it.
    client = version.single(server.port, { maxRetriesPerRequest: 0, commandTimeout: 200 })
    store = storeOf({ client })
    key = newKey()
    await eventually('connected', () => client.status === 'ready')
  })
  afterEach(async () => {
    client.disconnect()
    await server.stop()
  })

  /** Everything that changes something, by name. */
  function writes(): readonly (readonly [name: string, write: () => Promise<unknown>])[] {
    const { coordination, revocations } = store
    return [
      ['save', () => store.save(key, snapshotOf('new', isoTimeIn(LONG * 10)))],
      ['setAside', () => store.setAside(key)],
      ['saveIf', () => coordination.saveIf(key, snapshotOf('new'), 'g', 'next')],
      ['acquire', () => coordination.acquire(key, 'a', LONG)],
      ['reserveRefetch', () => coordination.reserveRefetch(key, 'a', LONG)],
      ['shareFailure', () => coordination.shareFailure(key, 'a', snapshotOf('failed'), LONG)],
      ['revocations.save', () => revocations.save(idOf(2), snapshotOf('new'))],
    ]
  }

  it('receives the whole script where it has forgotten it', async () => {
    await store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')
    for (const [, write] of writes()) {
      await server.command('SCRIPT', 'FLUSH')
      await write()
    }
    await server.command('SCRIPT', 'FLUSH')
    expect(await store.load(key)).toEqual(snapshotOf('new', expect.any(String)))
    await server.command('SCRIPT', 'FLUSH')
    expect((await store.coordination.acquire(key, 'b', LONG)).holder).toBe('other')
    await server.command('SCRIPT', 'FLUSH')
    expect(await store.revocations.load()).toEqual([snapshotOf('new')])
  })

  it('runs each script in one round trip once it knows it', async () => {
    for (const [, write] of writes()) await write()
    await server.command('CONFIG', 'RESETSTAT')
    for (const [, write] of writes()) await write()
    const stats = String(await server.command('INFO', 'commandstats'))
    expect(stats).toContain(`cmdstat_evalsha:calls=${writes().length},`)
    expect(stats).not.toContain('cmdstat_eval:')
  })

  it('may be emptied: no process is fenced off permanently, and an older save cannot replace a newer one', async () => {
    await store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')
    await store.coordination.acquire(key, 'a', LONG)
    await server.command('FLUSHALL')
    expect(await store.coordination.load(key)).toEqual({ snapshot: undefined, generation: undefined })
    expect(await store.coordination.renew(key, 'a', LONG)).toBe(false)
    expect(await store.coordination.saveIf(key, snapshotOf('late'), 'g', 'late')).toBe(false)
    const { holder, generation } = await store.coordination.acquire(key, 'b', LONG)
    expect(holder).toBe('own')
    expect(await store.coordination.saveIf(key, snapshotOf('b'), generation, 'next')).toBe(true)
  })

  it('refuses to write when its memory is full, changes nothing, can be read, and releases leases', async () => {
    await store.coordination.saveIf(key, snapshotOf('a', isoTimeIn(LONG)), undefined, 'g')
    await store.revocations.save(idOf(1), snapshotOf('a'))
    await store.coordination.acquire(key, 'a', LONG)
    const revision = await store.revocations.revision()
    const expiry = await server.command('PEXPIRETIME', `jwks-auth:{acme/${key.provider}}:snapshot`)
    await server.setMemoryFull(true)
    for (const [name, write] of writes()) await expect(write(), name).rejects.toThrow('OOM')
    expect(await store.coordination.load(key)).toEqual({
      snapshot: snapshotOf('a', expect.any(String)),
      generation: 'g',
    })
    expect(await server.command('PEXPIRETIME', `jwks-auth:{acme/${key.provider}}:snapshot`)).toBe(expiry)
    expect(await store.revocations.revision()).toBe(revision)
    expect(await store.revocations.load()).toEqual([snapshotOf('a')])
    await store.coordination.release(key, 'a')
    expect((await store.coordination.inspect(key)).holder).toBe('none')
    await server.setMemoryFull(false)
    for (const [, write] of writes()) await write()
  })

  it('can be read while it is read-only', async () => {
    await store.coordination.saveIf(key, snapshotOf('a'), undefined, 'g')
    await store.revocations.save(idOf(1), snapshotOf('a'))
    await store.coordination.acquire(key, 'a', LONG)
    const revision = await store.revocations.revision()
    await server.setReadOnly(true)
    for (const [name, write] of writes()) await expect(write(), name).rejects.toThrow('READONLY')
    await expect(store.delete(key)).rejects.toThrow('READONLY')
    expect(await store.load(key)).toEqual(snapshotOf('a'))
    expect(await store.coordination.inspect(key)).toEqual({ holder: 'other', generation: 'g' })
    expect(await store.revocations.revision()).toBe(revision)
    expect(await store.revocations.load()).toEqual([snapshotOf('a')])
    expect(await store.warnings()).toEqual([])
  })

  it('rejects commands while it does not answer, and works again after', async () => {
    await store.save(key, snapshotOf('a'))
    server.pause()
    await expect(store.load(key)).rejects.toThrow('timed out')
    server.resume()
    expect(await store.load(key)).toEqual(snapshotOf('a'))
  })

  it('rejects commands while it is down, and is empty after', async () => {
    await store.save(key, snapshotOf('a'))
    await store.revocations.save(idOf(1), snapshotOf('a'))
    const revision = await store.revocations.revision()
    await server.kill()
    await expect(store.load(key)).rejects.toThrow(Error)
    await expect(store.coordination.acquire(key, 'a', LONG)).rejects.toThrow(Error)
    await expect(store.revocations.save(idOf(1), snapshotOf('a'))).rejects.toThrow(Error)
    await server.restart()
    await eventually('it is empty', async () => (await store.load(key)) === undefined)
    expect(await store.revocations.revision()).not.toBe(revision)
  })

  it('saves nothing where the user may not publish', async () => {
    await server.command('ACL', 'SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels')
    const muted = version.single(server.port, { username: 'mute', password: 'secret' })
    const { coordination, revocations, load } = storeOf({ client: muted })
    await expect(coordination.saveIf(key, snapshotOf('a'), undefined, 'g')).rejects.toThrow(/channel/)
    await expect(revocations.save(idOf(1), snapshotOf('a'))).rejects.toThrow(/channel/)
    expect(await load(key)).toBeUndefined()
    expect(await revocations.load()).toEqual([])
    muted.disconnect()
  })

  it.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random'])(
    'causes a warning where %s may evict revocations',
    async (policy) => {
      await server.command('CONFIG', 'SET', 'maxmemory-policy', policy)
      expect(await store.warnings()).toEqual([expect.stringContaining(`maxmemory-policy ${policy}`)])
    },
  )

  it.each(['noeviction', 'volatile-lru', 'volatile-ttl'])('causes no warning with %s', async (policy) => {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', policy)
    expect(await store.warnings()).toEqual([])
  })

  it('causes no warning where the policy may not be read', async () => {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    await server.command('ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '+@all', '-info')
    const blind = version.single(server.port, { username: 'blind', password: 'secret', enableReadyCheck: false })
    expect(await storeOf({ client: blind }).warnings()).toEqual([])
    blind.disconnect()
  })
})

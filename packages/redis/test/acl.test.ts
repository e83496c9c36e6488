import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aclFromReadme } from './acl-line.ts'
import { type TestClient, versions } from './clients.ts'
import { eventually } from './eventually.ts'
import { idOf, isoTimeIn, newKey, snapshotOf, storeOf } from './records.ts'
import { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

const LONG = 60_000
const username = 'jwks-auth'
const password = 'long-and-random'

describe.skipIf(!redisAvailable)('the user of the README', () => {
  let server: RedisServer
  let cluster: RedisCluster
  const clients: TestClient[] = []
  beforeAll(async () => {
    ;[server, cluster] = await Promise.all([startRedisServer(), startRedisCluster()])
    const [command = '', ...words] = aclFromReadme(password)
    await Promise.all([server, ...cluster.nodes].map((node) => node.command(command, ...words)))
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await Promise.all([server.stop(), cluster.stop()])
  })

  const deployments = versions.flatMap((version) => [
    [`a single server through ${version.name}`, () => version.single(server.port, { username, password })] as const,
    [`a Cluster through ${version.name}`, () => version.cluster(cluster, { username, password })] as const,
  ])

  it.each(deployments)('may do all that the store does, on %s', async (_, connect) => {
    const client = connect()
    clients.push(client)
    const { coordination, revocations, ...store } = storeOf({ client })
    const key = newKey()
    let heard = 0
    const unsubscribe = coordination.subscribe(() => heard++)
    await store.save(key, snapshotOf('a'))
    await store.save(key, snapshotOf('b', isoTimeIn(LONG)))
    await store.setAside(key)
    const { generation } = await coordination.acquire(key, 'a', LONG)
    expect(await coordination.renew(key, 'a', LONG)).toBe(true)
    expect(await coordination.saveIf(key, snapshotOf('c'), generation, 'g')).toBe(true)
    expect(await coordination.inspect(key)).toEqual({ holder: 'other', generation: 'g' })
    await coordination.release(key, 'a')
    expect(await coordination.reserveRefetch(key, 'a', LONG)).toBe(true)
    expect(await coordination.reserveRefetch(key, 'b', LONG)).toBe(false)
    await coordination.returnRefetch(key, 'a')
    expect(await store.load(key)).toEqual(snapshotOf('c'))
    await store.delete(key)
    expect(await store.warnings()).toEqual([])
    await eventually('a notice', async () => {
      await revocations.save(idOf(1), snapshotOf('a'))
      return heard > 0
    })
    expect(await revocations.load()).toEqual([snapshotOf('a')])
    expect(await revocations.revision()).toMatch(/^[0-9a-f]{32}$/)
    unsubscribe()
  })

  it('is refused no command', async () => {
    for (const node of [server, ...cluster.nodes]) expect(await node.command('ACL', 'LOG')).toEqual([])
  })

  it('may not access keys of other applications', async () => {
    const [version] = versions
    const client = version?.single(server.port, { username, password })
    if (client === undefined) throw new Error('there is no version')
    clients.push(client)
    const read = client.eval("return redis.call('GET', KEYS[1])", 1, 'session:1')
    await expect(read).rejects.toThrow('NOPERM')
    await expect(client.eval("return redis.call('KEYS', '*')", 0)).rejects.toThrow(/NOPERM|not allowed|can't run/)
    await expect(storeOf({ client, namespace: 'other' }).load(newKey())).rejects.toThrow('NOPERM')
  })
})

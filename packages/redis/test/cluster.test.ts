import type { FleetNotice, ProviderKey } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type ClientOptions, type TestClient, versions } from './clients.ts'
import { eventually } from './eventually.ts'
import { idOf, snapshotOf, storeOf, type WholeStore } from './records.ts'
import { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
import { type RedisServer, redisAvailable } from './redis-server.ts'
import { clientSource, subscribeAndLeave, UNTIL_NOTICE } from './run-program.ts'

const LONG = 60_000

describe.skipIf(!redisAvailable)('a Redis Cluster', () => {
  let cluster: RedisCluster
  const clients: TestClient[] = []
  beforeAll(async () => {
    cluster = await startRedisCluster()
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await cluster.stop()
  })

  let providers = 0
  const newKeys = (): ProviderKey[] =>
    Array.from({ length: 12 }, () => ({ tenant: 'acme', provider: `in-cluster-${providers++}` }))

  describe.each(versions)('through $name', (version) => {
    function storeWith(options: ClientOptions = {}, namespace = 'jwks-auth'): WholeStore {
      const client = version.cluster(cluster, options)
      clients.push(client)
      return storeOf({ client, namespace })
    }

    it.each<[string, ClientOptions]>([
      ['no prefix', {}],
      ['a prefix', { keyPrefix: 'app:' }],
      ['a prefix with a hash tag', { keyPrefix: '{app}:' }],
      ['a prefix with half of one', { keyPrefix: 'a{pp:' }],
      ['a prefix with the other half', { keyPrefix: 'a}pp:' }],
      ['commands in pipelines', { enableAutoPipelining: true }],
    ])('keeps all of a provider in one slot, with %s', async (_, options) => {
      const store = storeWith(options)
      const keys = newKeys()
      await Promise.all(
        keys.map(async (key) => {
          const { coordination } = store
          expect(await coordination.acquire(key, 'a', LONG)).toEqual({ holder: 'own', generation: undefined })
          expect(await coordination.saveIf(key, snapshotOf('a'), undefined, key.provider)).toBe(true)
          expect(await coordination.inspect(key)).toEqual({ holder: 'other', generation: key.provider })
          expect(await coordination.reserveRefetch(key, 'a', LONG)).toBe(true)
          await coordination.returnRefetch(key, 'a')
          await store.setAside(key)
          await coordination.release(key, 'a')
          expect(await store.load(key)).toEqual(snapshotOf('a'))
        }),
      )
      await store.revocations.save(idOf(1), snapshotOf('a'))
      expect(await store.revocations.load()).toEqual([snapshotOf('a')])
      expect(await store.warnings()).toEqual([])
    })

    it('sends notices of changes on any of its nodes', async () => {
      const keys = newKeys()
      // Notices of earlier tests may still be on their way from node to node.
      const namespace = `jwks-auth:${version.name.replace(' ', '-')}`
      const { heard, unsubscribe } = hear(storeWith({ lazyConnect: true }, namespace))
      await eventually('subscribed', async () => (await listenersOf(cluster.nodes)).length > 0)
      const { coordination } = storeWith({}, namespace)
      await Promise.all(keys.map((key) => coordination.saveIf(key, snapshotOf('a'), undefined, 'g')))
      const notices = keys.map((key) => ({ kind: 'snapshot', key }))
      await vi.waitFor(() => expect(heard).toEqual(expect.arrayContaining(notices)), { timeout: 15_000 })
      // And nothing else. A client that moves from one node to another may say so, and hear of a change from both.
      expect(notices).toEqual(expect.arrayContaining(heard.filter(({ kind }) => kind === 'snapshot')))
      unsubscribe()
      await eventually('there is no subscription', async () => (await listenersOf(cluster.nodes)).length === 0)
    })

    it('is read while a slot moves to another node, and after', async () => {
      const store = storeWith()
      const [key = { tenant: 'acme', provider: 'moving' }] = newKeys()
      await store.save(key, snapshotOf('a'))
      await moveSlot(`jwks-auth:{acme/${key.provider}}:snapshot`, async () => {
        // Half moved: the old node sends on those who ask for keys that it no longer has.
        expect(await store.load(key)).toEqual(snapshotOf('a'))
      })
      expect(await store.load(key)).toEqual(snapshotOf('a'))
      expect((await store.coordination.acquire(key, 'a', LONG)).holder).toBe('own')
    })
  })

  it.each(['ioredis', 'ioredis5'])('lets a process exit that has unsubscribed, with %s', async (module) => {
    const client = clientSource.cluster(module, cluster.startupNodes)
    for (const until of [UNTIL_NOTICE, '']) {
      expect(await subscribeAndLeave(client, until)).toEqual({ code: 0, output: 'done\n' })
    }
  })

  it('spreads providers over its nodes', async () => {
    const sizes = await Promise.all(cluster.nodes.map(async (node) => Number(await node.command('DBSIZE'))))
    for (const size of sizes) expect(size).toBeGreaterThan(0)
  })

  /** Subscribes until the test has ended, however it does: the next one is to see its own subscribers only. */
  function hear({ coordination }: WholeStore): { heard: FleetNotice[]; unsubscribe: () => void } {
    const heard: FleetNotice[] = []
    const unsubscribe = coordination.subscribe((notice) => heard.push(notice))
    onTestFinished(unsubscribe)
    return { heard, unsubscribe }
  }

  /** The nodes to which subscribers are connected. */
  async function listenersOf(nodes: readonly RedisServer[]): Promise<RedisServer[]> {
    const counts = await Promise.all(nodes.map((node) => node.command('PUBSUB', 'CHANNELS', 'jwks-auth:*')))
    return nodes.filter((_, index) => String(counts[index]) !== '')
  }

  /** Moves the slot of a key to the next node, and has something done in the middle. */
  async function moveSlot(name: string, inBetween: () => Promise<void>): Promise<void> {
    const slot = Number(await cluster.nodes[0]?.command('CLUSTER', 'KEYSLOT', name))
    const ids = await Promise.all(cluster.nodes.map(async (node) => String(await node.command('CLUSTER', 'MYID'))))
    const holds = await Promise.all(
      cluster.nodes.map((node) =>
        node.command('EXISTS', name).then(
          (found) => found === 1,
          () => false,
        ),
      ),
    )
    const index = holds.indexOf(true)
    const [from, to] = [cluster.nodes[index], cluster.nodes[(index + 1) % ids.length]]
    const [fromId, toId] = [ids[index], ids[(index + 1) % ids.length]]
    if (!from || !to || !fromId || !toId) throw new Error(`no node has ${name}`)
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    await from.command('MIGRATE', '127.0.0.1', to.port, name, 0, 5_000)
    await inBetween()
    for (const node of [to, from, ...cluster.nodes]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  }

  it.each(versions)(
    'that loses the node of a subscriber has it subscribed at another, through $name',
    async (version) => {
      const client = version.cluster(cluster)
      clients.push(client)
      const { heard } = hear(storeOf({ client }))
      await eventually('subscribed', async () => (await listenersOf(cluster.nodes)).length > 0)
      const [lost] = await listenersOf(cluster.nodes)
      await lost?.kill()
      const others = cluster.nodes.filter((node) => node !== lost)
      await eventually('subscribed at another', async () => (await listenersOf(others)).length > 0)
      await others[0]?.command('PUBLISH', 'jwks-auth:notices', '{"kind":"revocations"}')
      const changes = () => heard.filter(({ kind }) => kind !== 'interrupted' && kind !== 'resumed')
      await eventually('a notice', () => changes().length > 0)
      expect(changes()).toEqual([{ kind: 'revocations' }])
      await lost?.restart()
      await cluster.whole()
    },
  )

  it.each(versions)(
    'that was down has subscribers again, even if their client has given up, through $name',
    async (version) => {
      await Promise.all(cluster.nodes.map((node) => node.kill()))
      const client = version.cluster(cluster, { retryStrategy: () => null })
      clients.push(client)
      const { heard } = hear(storeOf({ client }))
      await eventually('the client has given up', () => client.status === 'end')
      await Promise.all(cluster.nodes.map((node) => node.restart()))
      await eventually('subscribed', async () => (await listenersOf(cluster.nodes)).length > 0)
      await cluster.whole()
      await cluster.nodes[0]?.command('PUBLISH', 'jwks-auth:notices', '{"kind":"revocations"}')
      const changes = () => heard.filter(({ kind }) => kind !== 'interrupted' && kind !== 'resumed')
      await eventually('a notice', () => changes().length > 0)
      expect(changes()).toEqual([{ kind: 'revocations' }])
    },
  )
})

import type { FleetNotice } from '@jwks-auth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestClient, versions } from './clients.ts'
import { eventually } from './eventually.ts'
import { idOf, isoTimeIn, newKey, snapshotOf, storeOf } from './records.ts'
import { type RedisSentinels, startRedisSentinels } from './redis-sentinel.ts'
import { redisAvailable } from './redis-server.ts'
import { clientSource, subscribeAndLeave, UNTIL_NOTICE } from './run-program.ts'

describe.skipIf(!redisAvailable)('Redis with Sentinels', () => {
  let sentinels: RedisSentinels
  let clients: TestClient[]
  beforeAll(async () => {
    sentinels = await startRedisSentinels()
    clients = versions.map((version) => version.sentinel(sentinels, { keyPrefix: 'app:' }))
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await sentinels.stop()
  })

  it.each(['ioredis', 'ioredis5'])('lets a process exit that has unsubscribed, with %s', async (module) => {
    const client = clientSource.sentinel(module, sentinels.sentinels, sentinels.name)
    for (const until of [UNTIL_NOTICE, '']) {
      expect(await subscribeAndLeave(client, until)).toEqual({ code: 0, output: 'done\n' })
    }
  })

  it('keeps snapshots, generations, revocations and notices after the master is killed', async () => {
    const key = newKey()
    const stores = clients.map((client) => storeOf({ client }))
    const heard: FleetNotice[][] = stores.map(() => [])
    const subscriptions = stores.map(({ coordination }, index) =>
      coordination.subscribe((notice) => heard[index]?.push(notice)),
    )
    const [store] = stores
    if (store === undefined) throw new Error('there is no store')
    await store.coordination.saveIf(key, snapshotOf('a', isoTimeIn(600_000)), undefined, 'g')
    await store.revocations.save(idOf(1), snapshotOf('a'))
    const revision = await store.revocations.revision()
    const master = await sentinels.master()
    await master.command('WAIT', 2, 5_000)
    await master.kill()
    await eventually('another master', async () => (await sentinels.master()) !== master)

    const promoted = await sentinels.master()
    for (const { coordination, revocations } of stores) {
      await eventually('it answers', async () => (await coordination.load(key)).generation === 'g')
      expect(await revocations.revision()).toBe(revision)
      expect(await revocations.load()).toEqual([snapshotOf('a')])
    }
    await eventually('both are subscribed', async () => {
      const reply = await promoted.command('PUBSUB', 'NUMSUB', 'app:jwks-auth:notices')
      return Array.isArray(reply) && reply[1] === 2
    })
    await eventually('it takes writes', () => store.coordination.saveIf(key, snapshotOf('b'), 'g', 'next'))
    await eventually('both are told', () => heard.every((notices) => notices.some(({ kind }) => kind === 'snapshot')))
    for (const unsubscribe of subscriptions) unsubscribe()
  })
})

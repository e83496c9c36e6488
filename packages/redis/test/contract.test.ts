import { redisStore } from '@jwks-auth/redis'
import { type StoreContractCase, type StorePlace, snapshotStoreContract } from '@jwks-auth/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClientOptions, type ClientVersion, type TestClient, versions } from './clients.ts'
import { startRedisCluster } from './redis-cluster.ts'
import { startRedisSentinels } from './redis-sentinel.ts'
import { redisAvailable, startRedisServer } from './redis-server.ts'

/** A kind of deployment, running. */
interface Deployment {
  connect(version: ClientVersion, options: ClientOptions): TestClient
  stop(): Promise<void>
}

const deployments: readonly (readonly [name: string, start: () => Promise<Deployment>])[] = [
  [
    'a single server',
    async () => {
      const server = await startRedisServer()
      return { connect: ({ single }, options) => single(server.port, options), stop: () => server.stop() }
    },
  ],
  [
    'a Cluster',
    async () => {
      const running = await startRedisCluster()
      return { connect: ({ cluster }, options) => cluster(running, options), stop: () => running.stop() }
    },
  ],
  [
    'Sentinels',
    async () => {
      const running = await startRedisSentinels()
      return { connect: ({ sentinel }, options) => sentinel(running, options), stop: () => running.stop() }
    },
  ],
]

let places = 0

describe.skipIf(!redisAvailable).each(deployments)('%s', (_, start) => {
  let deployment: Deployment
  beforeAll(async () => {
    deployment = await start()
  })
  afterAll(() => deployment.stop())

  describe.each(versions)('through $name', (version) => {
    describe.each<[string, ClientOptions]>([
      ['without a prefix', {}],
      ['with a prefix', { keyPrefix: 'app:' }],
    ])('%s', (__, options) => {
      let clients: TestClient[]
      beforeAll(() => {
        clients = Array.from({ length: 3 }, () => deployment.connect(version, options))
      })
      afterAll(() => {
        for (const client of clients) client.disconnect()
      })

      /** A namespace that is new, and in it as many processes as a case opens, each with the next client. */
      function createPlace(coordinate: boolean): StorePlace {
        const namespace = `place-${places++}`
        let opened = 0
        return {
          open() {
            const client = clients[opened++ % clients.length]
            if (client === undefined) throw new Error('there are no clients')
            return redisStore({ client, namespace, coordinate })
          },
        }
      }

      const whole = snapshotStoreContract(() => createPlace(true), {
        parts: ['setAside', 'revocations', 'coordination'],
      })
      it.concurrent.each(named(whole))('the store %s', async (_name, run) => {
        await expect(run()).resolves.toBeUndefined()
      })

      const lone = snapshotStoreContract(() => createPlace(false), { parts: ['setAside', 'revocations'] })
      it.concurrent.each(named(lone))('without coordination the store %s', async (_name, run) => {
        await expect(run()).resolves.toBeUndefined()
      })
    })
  })
})

function named(cases: readonly StoreContractCase[]): (readonly [string, () => Promise<void>])[] {
  return cases.map(({ name, run }) => [name, run] as const)
}

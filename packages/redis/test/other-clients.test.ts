import type { FleetNotice } from '@jwks-auth/core'
import { type RedisClient, redisStore } from '@jwks-auth/redis'
import { snapshotStoreContract } from '@jwks-auth/testing'
import { Cluster, Redis } from 'iovalkey'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { newKey, snapshotOf, storeOf } from './records.ts'
import { startRedisCluster } from './redis-cluster.ts'
import { type RedisServer, redisAvailable, startRedisServer } from './redis-server.ts'

interface Credentials {
  readonly username?: string
  readonly password: string
}

interface Connected {
  readonly client: RedisClient
  /** Changes the password that the next connection uses. */
  setPassword(password: string): void
  close(): void
}

/** As in the README. Its passwords rotate by `credentialsProvider`, which each connection asks. */
async function nodeRedis(port: number, credentials?: Credentials): Promise<Connected> {
  let current = credentials
  const redis = createClient({
    url: `redis://127.0.0.1:${port}`,
    ...(credentials && {
      credentialsProvider: { type: 'async-credentials-provider', credentials: async () => ({ ...current }) },
    }),
  })
  redis.on('error', () => {})
  await redis.connect()
  const client: RedisClient = {
    evalsha: (sha1, keyCount, ...rest) => redis.sendCommand(['EVALSHA', sha1, String(keyCount), ...rest]),
    eval: (script, keyCount, ...rest) => redis.sendCommand(['EVAL', script, String(keyCount), ...rest]),
    listen(channels, { started, receive, ended }) {
      const connection = redis.duplicate({ socket: { ...redis.options.socket, reconnectStrategy: false } })
      connection.on('error', ended)
      const subscribed = connection.connect().then(() => connection.subscribe(channels, receive))
      subscribed.then(started, ended)
      return () => connection.destroy()
    },
  }
  return {
    client,
    setPassword(password) {
      current = { ...credentials, password }
    },
    close: () => redis.destroy(),
  }
}

async function iovalkey(port: number, credentials?: Credentials): Promise<Connected> {
  const client = new Redis({ port, host: '127.0.0.1', ...credentials })
  client.on('error', () => {})
  return {
    client,
    setPassword(password) {
      client.options.password = password
    },
    close: () => client.disconnect(),
  }
}

const connectors = [
  ['node-redis 5', nodeRedis],
  ['iovalkey', iovalkey],
] as const

describe.skipIf(!redisAvailable).each(connectors)('a store through %s', (_, connect) => {
  let server: RedisServer
  let connected: Connected[]
  let places = 0
  beforeAll(async () => {
    server = await startRedisServer()
    connected = await Promise.all([connect(server.port), connect(server.port), connect(server.port)])
  })
  afterAll(async () => {
    for (const { close } of connected) close()
    await server.stop()
  })

  const contract = snapshotStoreContract(
    () => {
      const namespace = `other-${places++}`
      let opened = 0
      return {
        open() {
          const { client } = connected[opened++ % connected.length] ?? {}
          if (client === undefined) throw new Error('there are no clients')
          return redisStore({ client, namespace })
        },
      }
    },
    { parts: ['setAside', 'revocations', 'coordination'] },
  )
  it.concurrent.each(contract.map(({ name, run }) => [name, run] as const))('%s', async (_name, run) => {
    await expect(run()).resolves.toBeUndefined()
  })

  it('has notices again after the connection was cut, with the current password', async () => {
    await server.command('ACL', 'SETUSER', 'rotated', 'on', '~*', '+@all', 'allchannels', 'resetpass', '>old')
    const { client, setPassword, close } = await connect(server.port, { username: 'rotated', password: 'old' })
    const { coordination } = storeOf({ client })
    const heard: FleetNotice[] = []
    const unsubscribe = coordination.subscribe((notice) => heard.push(notice))
    const sees = async () => {
      const { client: other } = connected[0] ?? {}
      if (other === undefined) throw new Error('there are no clients')
      await storeOf({ client: other }).coordination.saveIf(newKey(), snapshotOf('a'), undefined, 'g')
      return heard.some(({ kind }) => kind === 'snapshot')
    }
    await eventually('a notice', sees)
    heard.length = 0
    await server.command('ACL', 'SETUSER', 'rotated', 'resetpass', '>new')
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually('interrupted', () => heard.some(({ kind }) => kind === 'interrupted'))
    setPassword('new')
    await eventually('resumed', () => heard.some(({ kind }) => kind === 'resumed'))
    expect(heard.map(({ kind }) => kind).filter((kind) => kind !== 'snapshot')).toEqual(['interrupted', 'resumed'])
    heard.length = 0
    await eventually('a notice', sees)
    unsubscribe()
    close()
    await eventually('all connections are closed', async () => {
      return !String(await server.command('CLIENT', 'LIST')).includes('user=rotated')
    })
  })
})

describe.skipIf(!redisAvailable)('a Cluster of iovalkey', () => {
  it('saves, loads and receives notices', async () => {
    const cluster = await startRedisCluster()
    const client = new Cluster(cluster.startupNodes)
    try {
      const { coordination, load } = storeOf({ client })
      const heard: FleetNotice[] = []
      const unsubscribe = coordination.subscribe((notice) => heard.push(notice))
      const keys = Array.from({ length: 6 }, newKey)
      await eventually('a notice', async () => {
        for (const key of keys) {
          const { generation } = await coordination.inspect(key)
          await coordination.saveIf(key, snapshotOf('a'), generation, `${Math.random()}`)
        }
        return heard.some(({ kind }) => kind === 'snapshot')
      })
      for (const key of keys) expect(await load(key)).toEqual(snapshotOf('a'))
      unsubscribe()
    } finally {
      client.disconnect()
      await cluster.stop()
    }
  })
})

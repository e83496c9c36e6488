import type { RedisClient } from '@jwks-auth/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import type { RedisCluster } from './redis-cluster.ts'
import type { RedisSentinels } from './redis-sentinel.ts'

/** A client as a test uses it. */
export interface TestClient extends RedisClient {
  readonly status: string
  on(event: string, listener: () => void): unknown
  disconnect(): void
}

/** What both versions of ioredis take. */
export interface ClientOptions {
  readonly keyPrefix?: string
  readonly lazyConnect?: boolean
  readonly enableOfflineQueue?: boolean
  readonly enableReadyCheck?: boolean
  readonly enableAutoPipelining?: boolean
  readonly maxRetriesPerRequest?: number
  readonly commandTimeout?: number
  readonly username?: string
  readonly password?: string
  readonly stringNumbers?: boolean
  readonly retryStrategy?: (times: number) => number | null
}

/** A version of ioredis, and clients of it for each kind of deployment. */
export interface ClientVersion {
  readonly name: string
  single(port: number, options?: ClientOptions): TestClient
  cluster(cluster: RedisCluster, options?: ClientOptions): TestClient
  sentinel(sentinels: RedisSentinels, options?: ClientOptions): TestClient
}

const host = '127.0.0.1'

/** ioredis 6. */
export const ioredis6: ClientVersion = {
  name: 'ioredis 6',
  single: (port, options) => quiet(new Redis({ port, host, ...options })),
  cluster: ({ startupNodes }, options) => quiet(new Cluster(startupNodes, clusterOptions(options))),
  sentinel: ({ sentinels, name }, options) => quiet(new Redis({ sentinels, name, ...options })),
}

/** ioredis 5. */
export const ioredis5: ClientVersion = {
  name: 'ioredis 5',
  single: (port, options) => quiet(new Redis5({ port, host, ...options })),
  cluster: ({ startupNodes }, options) => quiet(new Cluster5(startupNodes, clusterOptions(options))),
  sentinel: ({ sentinels, name }, options) => quiet(new Redis5({ sentinels, name, ...options })),
}

/** All supported versions. */
export const versions: readonly ClientVersion[] = [ioredis6, ioredis5]

/** A Cluster has these options of its own, and hands the others on to its connections. */
function clusterOptions(options: ClientOptions = {}) {
  const { keyPrefix, lazyConnect, enableAutoPipelining, retryStrategy: clusterRetryStrategy, ...redisOptions } = options
  return {
    redisOptions,
    ...(keyPrefix && { keyPrefix }),
    ...(lazyConnect && { lazyConnect }),
    ...(enableAutoPipelining && { enableAutoPipelining }),
    ...(clusterRetryStrategy && { clusterRetryStrategy }),
  }
}

/** ioredis writes errors to the console where there is no listener. */
function quiet<Client extends TestClient>(client: Client): Client {
  client.on('error', () => {})
  return client
}

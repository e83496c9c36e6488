import type { SnapshotStore } from '@jwks-auth/core'
import { type RedisClient, redisStore } from '@jwks-auth/redis'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { expectTypeOf } from 'vitest'

// Clients of both versions, as they are.
expectTypeOf<Redis>().toExtend<RedisClient>()
expectTypeOf<Redis<'resp3'>>().toExtend<RedisClient>()
expectTypeOf<Cluster>().toExtend<RedisClient>()
expectTypeOf<Cluster<'resp3'>>().toExtend<RedisClient>()
expectTypeOf<Redis5>().toExtend<RedisClient>()
expectTypeOf<Cluster5>().toExtend<RedisClient>()

expectTypeOf(redisStore({ client: new Redis() })).toEqualTypeOf<SnapshotStore>()
redisStore({ client: new Redis({ protocol: 3, replyMapping: 'resp3', keyPrefix: 'app:' }), namespace: 'a' })
redisStore({ client: new Cluster([]), coordinate: false })
redisStore({ client: new Redis5(), namespace: undefined, coordinate: undefined })
redisStore({ client: new Cluster5([]) })

// Anything that sends two commands.
redisStore({ client: { evalsha: () => Promise.resolve(1), eval: () => Promise.resolve(1) } })

// @ts-expect-error: no client
redisStore({})
// @ts-expect-error: not the address but a client
redisStore({ client: 'redis://localhost' })
// @ts-expect-error: half of a client
redisStore({ client: { evalsha: () => Promise.resolve(1) } })
// @ts-expect-error: misspelt
redisStore({ client: new Redis(), nameSpace: 'a' })

import { describe, expect, it } from 'vitest'
import { redisAvailable } from '../../packages/redis/test/redis-server.ts'
import { chaosSeed, chaosTime, createChance } from './chance.ts'
import { runChaos } from './chaos-run.ts'
import { cluster, sentinels, singleServer } from './deployments.ts'

/** All runs together take `CHAOS_MINUTES`, by default somewhat less than a minute; each does one round at least. */
const time = chaosTime(40_000)
const limit = time + 240_000

/** Eight processes make eleven requests in ten refresh periods; of two, a third period may begin. */
const fleet = { members: 8, quietRequests: 4 }

describe.skipIf(!redisAvailable)('no request with keys is refused, and no revoked key accepted, in trouble of', () => {
  const seed = chaosSeed()

  it(
    'a single Redis',
    async () => {
      const violations = await runChaos({
        ...fleet,
        deployment: await singleServer(),
        chance: createChance(seed),
        duration: time * 0.6,
      })
      expect(violations).toEqual([])
    },
    limit,
  )

  it(
    'a Redis with replicas and Sentinels',
    async () => {
      const violations = await runChaos({
        ...fleet,
        deployment: await sentinels(),
        chance: createChance(seed + 1),
        duration: time * 0.2,
      })
      expect(violations).toEqual([])
    },
    limit,
  )

  it(
    'a Redis Cluster',
    async () => {
      const violations = await runChaos({
        ...fleet,
        deployment: await cluster(),
        chance: createChance(seed + 2),
        duration: time * 0.2,
      })
      expect(violations).toEqual([])
    },
    limit,
  )
})

import { describe, expect, it } from 'vitest'
import { redisAvailable } from '../../packages/redis/test/redis-server.ts'
import { chaosSeed, chaosTime, createChance } from './chance.ts'
import { runChaos } from './chaos-run.ts'
import { cluster, type Deployment, sentinels, singleServer } from './deployments.ts'

/** By default, for less than half a minute on a single server; with `CHAOS_MINUTES`, so long on all deployments together. */
const isLong = process.env['CHAOS_MINUTES'] !== undefined
const time = chaosTime(25_000)

const deployments: readonly (readonly [string, () => Promise<Deployment>, number])[] = [
  ['a single Redis', singleServer, isLong ? 0.6 : 1],
  ...(isLong
    ? ([
        ['a Redis with replicas and Sentinels', sentinels, 0.2],
        ['a Redis Cluster', cluster, 0.2],
      ] as const)
    : []),
]

describe.skipIf(!redisAvailable)('no request with keys is refused, and no revoked key accepted, in trouble of', () => {
  const seed = chaosSeed()

  it.each(deployments)(
    '%s',
    async (_, start, share) => {
      const violations = await runChaos({
        ...{ deployment: await start(), chance: createChance(seed), duration: time * share },
        // Eight processes make eleven requests in ten refresh periods; of two, a third period may begin.
        ...{ members: 8, quietRequests: 4 },
      })
      expect(violations).toEqual([])
    },
    time + 240_000,
  )
})

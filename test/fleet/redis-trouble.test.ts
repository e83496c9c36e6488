import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../packages/redis/test/eventually.ts'
import { type RedisServer, redisAvailable, startRedisServer } from '../../packages/redis/test/redis-server.ts'
import { type Member, startFleet, type TrafficReport } from './fleet.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const sleep = async (delay: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, delay))

/** Four processes whose keys are due every second. */
const MEMBERS = 4
const PERIOD = 1_000

interface Scene {
  readonly issuer: TestIssuer
  readonly redis: RedisServer
  readonly members: readonly Member[]
}

async function setFleet(): Promise<Scene> {
  const issuer = await createTestIssuer()
  cleanups.push(async () => await issuer.close())
  issuer.setHeaders('jwks', { 'cache-control': 'max-age=2' })
  const redis = await startRedisServer()
  cleanups.push(async () => await redis.stop())
  const { issuer: name, jwksUri } = issuer
  const members = await startFleet(
    MEMBERS,
    { redis: { port: redis.port, host: '127.0.0.1' } },
    { issuer: name, jwksUri, audience: false, requireHttps: false, minTtl: 1_000, prefetchJitter: 0 },
  )
  cleanups.push(async () => await Promise.all(members.map(async (member) => await member.close())))
  const token = await issuer.sign()
  for (const member of members) await member.traffic(token)
  return { issuer, redis, members }
}

/** Upstream requests in six refresh periods: about six for a fleet, about 24 for as many that each ask for themselves. */
async function requestsInSixPeriods(issuer: TestIssuer): Promise<number> {
  const before = issuer.requestCount('jwks')
  await sleep(6 * PERIOD)
  return issuer.requestCount('jwks') - before
}

async function reports(members: readonly Member[]): Promise<readonly TrafficReport[]> {
  return await Promise.all(members.map(async (member) => await member.report()))
}

/** All of them, with none refused; and hardly any that waited: `storeTimeout` is 250 ms, and no request waits for it twice. */
async function expectNoTrouble(members: readonly Member[]): Promise<void> {
  for (const { codes, requests, slowest, slow } of await reports(members)) {
    expect(codes).toEqual([])
    expect(requests).toBeGreaterThan(50)
    expect(slowest).toBeLessThan(1_500)
    expect(slow).toBeLessThan(requests / 10)
  }
}

async function stores(members: readonly Member[]): Promise<readonly string[]> {
  return await Promise.all(members.map(async (member) => (await member.status()).store))
}

const troubles: readonly {
  readonly name: string
  begin(redis: RedisServer): Promise<void>
  end(redis: RedisServer): Promise<void>
}[] = [
  { name: 'killed, and restarted empty', begin: (redis) => redis.kill(), end: (redis) => redis.restart() },
  { name: 'paused', begin: async (redis) => redis.pause(), end: async (redis) => redis.resume() },
  { name: 'full', begin: (redis) => redis.setMemoryFull(true), end: (redis) => redis.setMemoryFull(false) },
  { name: 'read-only', begin: (redis) => redis.setReadOnly(true), end: (redis) => redis.setReadOnly(false) },
]

describe.skipIf(!redisAvailable)('while Redis is in trouble', () => {
  it.each(troubles)(
    'no request fails or waits: $name',
    async ({ begin, end }) => {
      const { issuer, redis, members } = await setFleet()
      expect(await requestsInSixPeriods(issuer)).toBeLessThanOrEqual(8)
      await expectNoTrouble(members)

      await begin(redis)
      await eventually('every process knows', async () => (await stores(members)).every((it) => it === 'failing'))
      const alone = await requestsInSixPeriods(issuer)
      expect(alone).toBeGreaterThan(10)
      expect(alone).toBeLessThanOrEqual(7 * MEMBERS)
      for (const member of members) expect(member.told('store-failed')).toBeGreaterThan(0)
      await expectNoTrouble(members)

      await end(redis)
      await eventually('every process knows', async () => (await stores(members)).every((it) => it === 'ready'))
      for (const member of members) expect(member.told('store-recovered')).toBeGreaterThan(0)
      await sleep(PERIOD)
      expect(await requestsInSixPeriods(issuer)).toBeLessThanOrEqual(8)
      await expectNoTrouble(members)
    },
    90_000,
  )

  it('requests wait for a Redis that is slow from the start no longer than storeTimeout', async () => {
    const issuer = await createTestIssuer()
    cleanups.push(async () => await issuer.close())
    const redis = await startRedisServer()
    cleanups.push(async () => await redis.stop())
    redis.pause()
    const { issuer: name, jwksUri } = issuer
    const options = { issuer: name, jwksUri, audience: false as const, requireHttps: false }
    const members = await startFleet(1, { redis: { port: redis.port, host: '127.0.0.1' } }, options)
    cleanups.push(async () => await Promise.all(members.map(async (member) => await member.close())))
    const { code, took } = (await members[0]?.authenticate(await issuer.sign())) ?? { took: Number.NaN }
    expect(code).toBeUndefined()
    expect(took).toBeLessThan(1_500)
    redis.resume()
  })
})

import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../packages/redis/test/eventually.ts'
import { type RedisServer, redisAvailable, startRedisServer } from '../../packages/redis/test/redis-server.ts'
import { type Member, startFleet } from './fleet.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const CHANNEL = 'jwks-auth:notices'

const sleep = async (delay: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, delay))

/** Eight processes with one Redis and a provider whose keys are fresh for `ttl` seconds. */
async function setFleet(
  ttl: number,
  options: object,
): Promise<{ issuer: TestIssuer; members: readonly Member[]; redis: RedisServer }> {
  const issuer = await createTestIssuer()
  cleanups.push(async () => await issuer.close())
  issuer.setHeaders('jwks', { 'cache-control': `max-age=${ttl}` })
  const redis = await startRedisServer()
  cleanups.push(async () => await redis.stop())
  const { issuer: name, jwksUri } = issuer
  const fixed = { issuer: name, jwksUri, audience: false as const, requireHttps: false }
  // Eight processes that start on two cores may get no turn for longer than the default of 250 ms.
  const times = { minTtl: 1_000, prefetchJitter: 200, storeTimeout: 2_000 }
  const address = { redis: { port: redis.port, host: '127.0.0.1' } }
  const members = await startFleet(8, address, { ...fixed, ...times, ...options })
  cleanups.push(async () => await Promise.all(members.map(async (member) => await member.close())))
  return { issuer, members, redis }
}

/** When each process accepted the token for the first time, asked again and again, in milliseconds since the epoch. */
async function acceptanceTimes(members: readonly Member[], token: string): Promise<readonly number[]> {
  return await Promise.all(
    members.map(async (member) => {
      for (;;) {
        const { code } = await member.authenticate(token)
        if (code === undefined) return Date.now()
        await sleep(20)
      }
    }),
  )
}

async function expectNoFailures(members: readonly Member[]): Promise<void> {
  for (const member of members) {
    const { requests, codes } = await member.report()
    expect(codes).toEqual([])
    expect(requests).toBeGreaterThan(0)
  }
}

describe.skipIf(!redisAvailable)('eight processes with one Redis', () => {
  it.each([
    // Of eight processes, the one with the most jitter is due first: 3 s less 1 s less up to 200 ms.
    { provider: 'answers at once', delay: 0, ttl: 3, refreshEarly: 1_000, period: 1_800 },
    { provider: 'takes two seconds to answer', delay: 2_000, ttl: 5, refreshEarly: 2_500, period: 4_500 },
  ])(
    'ask a provider that $provider eleven times in ten refresh periods, a rotation among them',
    async (scene) => {
      const { issuer, members } = await setFleet(scene.ttl, { refreshEarly: scene.refreshEarly })
      issuer.answerAlways('jwks', { kind: 'normal', delay: scene.delay })
      const token = await issuer.sign()
      const answers = await Promise.all(members.map(async (member) => await member.authenticate(token)))
      expect(answers.map(({ code }) => code)).toEqual(members.map(() => undefined))
      expect(issuer.requestCount('jwks')).toBe(1)

      const startedAt = Date.now()
      for (const member of members) await member.traffic(token)
      await sleep(scene.period * 3.4)
      await issuer.rotate()
      const times = await acceptanceTimes(members, await issuer.sign())
      expect(Math.max(...times) - Math.min(...times)).toBeLessThan(1_000)
      await sleep(startedAt + scene.period * 10 - Date.now())

      const asked = issuer.requestCount('jwks')
      expect(asked).toBeLessThanOrEqual(11)
      expect(asked).toBeGreaterThanOrEqual(9)
      await expectNoFailures(members)
    },
    120_000,
  )

  it('accept a rotated key that one of them has found, without asking', async () => {
    const { issuer, members } = await setFleet(600, {})
    const [first, ...others] = members
    const token = await issuer.sign()
    await Promise.all(members.map(async (member) => await member.authenticate(token)))
    await issuer.rotate()
    const rotated = await issuer.sign()
    expect((await first?.authenticate(rotated))?.code).toBeUndefined()
    const foundAt = Date.now()
    const times = await acceptanceTimes(others, rotated)
    expect(Math.max(...times) - foundAt).toBeLessThan(1_000)
    expect(members.map((member) => member.told('store-failed'))).toEqual(members.map(() => 0))
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('learn of a rotated key without being asked for it, also where they could not be told', async () => {
    const { issuer, members, redis } = await setFleet(600, {})
    const token = await issuer.sign()
    await Promise.all(members.map(async (member) => await member.authenticate(token)))
    await issuer.rotate()
    const rotated = await issuer.sign()
    await eventually(
      'all listen',
      async () => String(await redis.command('PUBSUB', 'NUMSUB', CHANNEL)) === `${CHANNEL},8`,
    )
    // They come back after 100 ms; by then the key is found.
    expect(await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(members.length)
    expect((await members[0]?.authenticate(rotated))?.code).toBeUndefined()
    for (const member of members) {
      await eventually('it has the key', async () => (await member.status()).kids.includes(issuer.signingKey.kid))
    }
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('look once for one unknown kid, and once for each cooldown for any number of them', async () => {
    const { issuer, members } = await setFleet(600, {})
    const token = await issuer.sign()
    await Promise.all(members.map(async (member) => await member.authenticate(token)))
    const bogus = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => await issuer.sign({}, { header: { kid: `bogus-${index}` } })),
    )
    for (const one of bogus) {
      const answers = await Promise.all(members.map(async (member) => await member.authenticate(one)))
      expect(answers.map(({ code }) => code)).toEqual(members.map(() => 'ERR_KEY_NOT_FOUND'))
    }
    expect(issuer.requestCount('jwks')).toBe(2)
  })

  it('all refuse a revoked key within five seconds', async () => {
    const { issuer, members } = await setFleet(600, {})
    const token = await issuer.sign()
    await Promise.all(members.map(async (member) => await member.authenticate(token)))
    await members[0]?.revoke(issuer.signingKey.kid)
    const revokedAt = Date.now()
    for (const member of members) {
      for (;;) {
        const { code } = await member.authenticate(token)
        if (code === 'ERR_KEY_REVOKED') break
        expect(code).toBeUndefined()
        expect(Date.now() - revokedAt).toBeLessThan(5_000)
        await sleep(20)
      }
    }
  })
})

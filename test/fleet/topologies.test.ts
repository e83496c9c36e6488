import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../packages/redis/test/eventually.ts'
import { startRedisCluster } from '../../packages/redis/test/redis-cluster.ts'
import { startRedisSentinels } from '../../packages/redis/test/redis-sentinel.ts'
import { redisAvailable } from '../../packages/redis/test/redis-server.ts'
import { type Member, type RedisAddress, startFleet } from './fleet.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function setFleet(address: RedisAddress): Promise<{ issuer: TestIssuer; members: readonly Member[] }> {
  const issuer = await createTestIssuer()
  cleanups.push(async () => await issuer.close())
  const { issuer: name, jwksUri } = issuer
  // Processes that start together on two cores may get no turn for longer than the default of 250 ms.
  const storeTimeout = 1_000
  const options = { issuer: name, jwksUri, audience: false as const, requireHttps: false, storeTimeout }
  const members = await startFleet(3, address, options)
  cleanups.push(async () => await Promise.all(members.map(async (member) => await member.close())))
  return { issuer, members }
}

/** One of them finds a new key; the others accept it without an upstream request. */
async function expectSharedRotation(issuer: TestIssuer, members: readonly Member[]): Promise<void> {
  await issuer.rotate()
  const rotated = await issuer.sign()
  const before = issuer.requestCount('jwks')
  await eventually('one finds it', async () => (await members[0]?.authenticate(rotated))?.code === undefined)
  for (const member of members) {
    await eventually('it has the new key', async () => (await member.status()).kids.includes(issuer.signingKey.kid))
    expect((await member.authenticate(rotated)).code).toBeUndefined()
  }
  expect(issuer.requestCount('jwks')).toBe(before + 1)
}

describe.skipIf(!redisAvailable)('a fleet', () => {
  it('shares its fetches and revocations by way of Redis Cluster', async () => {
    const cluster = await startRedisCluster()
    cleanups.push(async () => await cluster.stop())
    const { issuer, members } = await setFleet({ cluster: cluster.startupNodes })
    const token = await issuer.sign()
    const answers = await Promise.all(members.map(async (member) => await member.authenticate(token)))
    expect(answers.map(({ code }) => code)).toEqual(members.map(() => undefined))
    expect(issuer.requestCount('jwks')).toBe(1)
    await expectSharedRotation(issuer, members)
    await members[1]?.revoke(issuer.keys[0]?.kid ?? '')
    for (const member of members) {
      await eventually(
        'it is refused',
        async () => (await member.authenticate(token)).code === 'ERR_KEY_REVOKED',
        5_000,
      )
    }
  }, 60_000)

  it('goes on while Sentinel fails over, and shares again after, with what was revoked still revoked', async () => {
    const sentinels = await startRedisSentinels()
    cleanups.push(async () => await sentinels.stop())
    const { issuer, members } = await setFleet({ redis: { sentinels: sentinels.sentinels, name: sentinels.name } })
    const revoked = await issuer.sign()
    for (const member of members) expect((await member.authenticate(revoked)).code).toBeUndefined()
    await issuer.rotate()
    const token = await issuer.sign()
    for (const member of members) {
      await eventually('it has the new key', async () => (await member.authenticate(token)).code === undefined)
    }
    await members[0]?.revoke(issuer.keys[0]?.kid ?? '')
    for (const member of members) {
      await eventually(
        'it is refused',
        async () => (await member.authenticate(revoked)).code === 'ERR_KEY_REVOKED',
        5_000,
      )
      await member.traffic(token)
    }

    const master = await sentinels.master()
    await master.kill()
    await eventually('another is promoted', async () => (await sentinels.master()) !== master, 20_000)
    await eventually(
      'every process has found it',
      async () => {
        const stores = await Promise.all(members.map(async (member) => (await member.status()).store))
        return stores.every((store) => store === 'ready')
      },
      20_000,
    )
    for (const member of members) {
      const { codes, requests } = await member.report()
      expect(codes).toEqual([])
      expect(requests).toBeGreaterThan(10)
      expect((await member.authenticate(revoked)).code).toBe('ERR_KEY_REVOKED')
    }
    await expectSharedRotation(issuer, members)
  }, 90_000)
})

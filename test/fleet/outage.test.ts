import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { redisAvailable, startRedisServer } from '../../packages/redis/test/redis-server.ts'
import { type Member, startFleet } from './fleet.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Milliseconds of outage: the steps of the backoff are 1, 2, 4, 8 and 16 s, each shortened by up to a half. */
const OUTAGE = 20_000

/** The requests of one process in that time, at most: after 0, 0.5, 1.5, 3.5, 7.5 and 15.5 s. */
const REQUESTS_ALONE = 6

/** Three processes with keys that are due, a client at each of them, and a provider of their own. */
async function startScene(): Promise<{ issuer: TestIssuer; members: readonly Member[] }> {
  const issuer = await createTestIssuer({ algorithm: 'ES256' })
  cleanups.push(async () => await issuer.close())
  issuer.setHeaders('jwks', { 'cache-control': 'max-age=2' })
  const redis = await startRedisServer()
  cleanups.push(async () => await redis.stop())
  const options = {
    ...{ issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience: false as const, requireHttps: false },
    ...{ minTtl: 1_000, prefetchJitter: 0, storeTimeout: 2_000 },
    retryPolicy: { maxRetries: 0, attemptTimeout: 1_000 },
  }
  const members = await startFleet(3, { redis: { port: redis.port, host: '127.0.0.1' } }, options)
  cleanups.push(async () => await Promise.all(members.map(async (member) => await member.close())))
  const token = await issuer.sign()
  for (const member of members) {
    expect((await member.authenticate(token)).code).toBeUndefined()
    await member.traffic(token)
  }
  return { issuer, members }
}

describe.skipIf(!redisAvailable)('three processes with one Redis', () => {
  it.each<[string, 'reply' | 'hang']>([
    ['fails', 'reply'],
    ['hangs', 'hang'],
  ])('ask a provider that %s hardly more often than one process would', async (_, kind) => {
    const { issuer, members } = await startScene()
    issuer.answerAlways('jwks', kind === 'hang' ? { kind } : { kind, status: 503 })
    issuer.clearRequests()
    await issuer.waitForRequests(1, 'jwks', 15_000)
    await new Promise((resolve) => setTimeout(resolve, OUTAGE))
    expect(issuer.requestCount('jwks')).toBeLessThanOrEqual(1.5 * REQUESTS_ALONE)
    expect(issuer.requestCount('jwks')).toBeGreaterThanOrEqual(3)
    for (const member of members) {
      const { codes, requests } = await member.report()
      expect(codes).toEqual([])
      expect(requests).toBeGreaterThan(100)
      expect(member.told('store-failed')).toBe(0)
      // Each of them backs off after a failure of any of them.
      expect((await member.status()).health).toBe('failing')
    }
  })
})

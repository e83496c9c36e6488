import { type Answer, createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../packages/redis/test/eventually.ts'
import { redisAvailable, startRedisServer } from '../../packages/redis/test/redis-server.ts'
import { type Member, startFleet } from './fleet.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Milliseconds after which a process that is gone has lost its lease. */
const LEASE_TTL = 3_000

async function setFleet(retryPolicy = {}): Promise<{ issuer: TestIssuer; members: readonly Member[]; token: string }> {
  const issuer = await createTestIssuer()
  cleanups.push(async () => await issuer.close())
  issuer.setHeaders('jwks', { 'cache-control': 'max-age=4' })
  const redis = await startRedisServer()
  cleanups.push(async () => await redis.stop())
  const { issuer: name, jwksUri } = issuer
  const members = await startFleet(
    3,
    { redis: { port: redis.port, host: '127.0.0.1' } },
    { issuer: name, jwksUri, audience: false, requireHttps: false, minTtl: 1_000, refreshEarly: 2_000, retryPolicy },
  )
  cleanups.push(async () => await Promise.all(members.map(async (member) => await member.close())))
  const token = await issuer.sign()
  for (const member of members) expect((await member.authenticate(token)).code).toBeUndefined()
  for (const member of members) await member.traffic(token)
  return { issuer, members, token }
}

/** Whoever makes the next request upstream, which is answered like this: it has the lease. */
async function nextHolder(issuer: TestIssuer, members: readonly Member[], answer: Answer): Promise<Member> {
  const before = members.map((member) => member.told('fetch'))
  const asked = issuer.requestCount('jwks')
  issuer.answerOnce('jwks', answer)
  const holder = (): Member | undefined => members.find((member, index) => member.told('fetch') > (before[index] ?? 0))
  // Both: the event comes before the request has arrived.
  await eventually('a process fetches', () => holder() !== undefined && issuer.requestCount('jwks') > asked)
  const found = holder()
  if (found === undefined) throw new Error('no process fetches')
  return found
}

async function expectNoFailures(members: readonly Member[]): Promise<void> {
  for (const member of members) expect((await member.report()).codes).toEqual([])
}

describe.skipIf(!redisAvailable)('when the process that fetches for the fleet', () => {
  it('is killed, another takes over within the lease time, and no request fails', async () => {
    const { issuer, members } = await setFleet()
    const holder = await nextHolder(issuer, members, { kind: 'hang' })
    const others = members.filter((member) => member !== holder)
    const before = issuer.requestCount('jwks')
    await holder.kill()
    const killedAt = Date.now()
    await eventually('another asks', () => issuer.requestCount('jwks') > before)
    // What the timers of a busy machine take comes on top.
    expect(Date.now() - killedAt).toBeLessThan(LEASE_TTL + 1_000)
    await eventually('it shares what it got', async () => {
      const statuses = await Promise.all(others.map(async (member) => await member.status()))
      return statuses.some(({ source }) => source === 'store') && statuses.every(({ health }) => health === 'fresh')
    })
    await expectNoFailures(others)
  })

  it('is paused past its lease, another takes over, and what the late one got is neither saved nor used', async () => {
    const { issuer, members } = await setFleet({ attemptTimeout: 20_000, deadline: 30_000 })
    // It gets its answer while it is paused: keys from before the rotation, to be read when it wakes up.
    const late: Answer = {
      kind: 'reply',
      // Long enough that it is paused before, and shorter than its lease.
      delay: 2_000,
      headers: { 'content-type': 'application/json', 'cache-control': 'max-age=600' },
      body: JSON.stringify(issuer.jwks),
    }
    const holder = await nextHolder(issuer, members, late)
    const others = members.filter((member) => member !== holder)
    holder.pause()
    await issuer.rotate()
    const rotated = await issuer.sign()
    await eventually('another takes over, and all others have what it got', async () => {
      const statuses = await Promise.all(others.map(async (member) => await member.status()))
      return statuses.every(({ kids }) => kids.includes(issuer.signingKey.kid))
    })
    const [saved, asked] = [holder.told('snapshot-saved'), holder.told('fetch')]
    holder.resume()
    await eventually('the late one has the keys of the other', async () => {
      const { state, kids } = await holder.status()
      return state === 'ready' && kids.length === issuer.keys.length
    })
    expect((await holder.authenticate(rotated)).code).toBeUndefined()
    expect([holder.told('snapshot-saved'), holder.told('fetch')]).toEqual([saved, asked])
    for (const member of members) expect((await member.authenticate(rotated)).code).toBeUndefined()
    await expectNoFailures(members)
  })
})

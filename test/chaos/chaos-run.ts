import { createTestIssuer, type TestIssuer, type TestKey } from '@jwks-auth/testing'
import { expect, onTestFinished } from 'vitest'
import { eventually } from '../../packages/redis/test/eventually.ts'
import { type Member, startFleet } from '../fleet/fleet.ts'
import type { Chance } from './chance.ts'
import type { Deployment, Trouble } from './deployments.ts'

const sleep = async (delay: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, delay))

/** Milliseconds between two refreshes of one process: keys are fresh for four seconds and due one second before. */
const PERIOD = 3_000

/** Milliseconds after which a revocation must be in force in every process that can read the store. */
const IN_FORCE = 5_000

/** Milliseconds in which every process must be well again after the store is; generous, for eight processes on two cores. */
const RECOVERY = 30_000

const HOUR = 3_600_000

interface Process {
  member: Member
  /** When it was started or let go on, by the clock of the test. */
  since: number
  /** `kid`s that it has refused as revoked. */
  readonly refused: Set<string>
}

interface Revocation {
  readonly kid: string
  readonly token: string
  /** When `revokeKey` resolved; infinite while it has not. */
  savedAt: number
}

/** What a run is made of. */
export interface ChaosRun {
  readonly deployment: Deployment
  readonly chance: Chance
  /** Milliseconds; one trouble happens at least. */
  readonly duration: number
  /** How many processes run at the same time. */
  readonly members: number
  /** The upstream requests of all of them in two refresh periods while nothing is wrong, at most. */
  readonly quietRequests: number
}

/** Processes with one provider and a client at each of them all the time; everything ends with the test. */
async function startScene(deployment: Deployment, members: number) {
  onTestFinished(async () => await deployment.stop())
  const issuer = await createTestIssuer({ algorithm: 'ES256' })
  onTestFinished(async () => await issuer.close())
  issuer.setHeaders('jwks', { 'cache-control': 'max-age=4' })
  const options = {
    ...{ issuer: issuer.issuer, jwksUri: issuer.jwksUri, audience: false as const, requireHttps: false },
    ...{ minTtl: 1_000, refreshEarly: 1_000, prefetchJitter: 0, unknownKidCooldown: 1_000 },
    // Eight processes on two cores may get no turn for longer than the default of 250 ms.
    storeTimeout: 1_000,
  }
  const token = await signFor(issuer, issuer.signingKey)
  const start = async (): Promise<Process> => {
    const [member] = await startFleet(1, deployment.address, options)
    if (member === undefined) throw new Error('no process was started')
    await deployment.prepare(member)
    await member.traffic(token)
    return { member, since: Date.now(), refused: new Set() }
  }
  const processes = await Promise.all(Array.from({ length: members }, start))
  onTestFinished(async () => void (await Promise.all(processes.map(async ({ member }) => await member.kill()))))
  return { issuer, options, processes, start }
}

/** A token that is valid on clocks that are wrong by an hour. */
async function signFor(issuer: TestIssuer, key: TestKey): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  return await issuer.sign({ iat: now - 4 * 3_600, exp: now + 4 * 3_600 }, { key })
}

/**
 * Runs one deployment for a time, one trouble after the other in random order, and checks what must hold throughout.
 *
 * @returns each revoked key that was accepted, with all that had happened before
 */
export async function runChaos(run: ChaosRun): Promise<readonly string[]> {
  const { deployment, chance, duration, members, quietRequests } = run
  const { issuer, options, processes, start } = await startScene(deployment, members)
  const revocations: Revocation[] = []
  const log: string[] = []
  /** Revoked keys that were accepted. */
  const violations: string[] = []
  /** Until when revocations may be unknown to those that have not heard of them. */
  let excusedUntil = 0
  let isReadable = true
  let allowedRequests = members

  /** No request with keys was refused since the last check. */
  async function checkTraffic(): Promise<void> {
    for (const { member } of processes) {
      const { codes } = await member.report()
      expect(codes, `requests with keys are accepted; ${log.join('; ')}`).toEqual([])
    }
  }

  /** Whoever has refused a key refuses it ever after; whoever could know for five seconds refuses it. */
  async function checkRevoked(among: readonly Process[] = processes): Promise<void> {
    for (const process of among) {
      for (const { kid, token, savedAt } of revocations) {
        const mustKnowFrom = Math.max(savedAt, process.since, excusedUntil) + IN_FORCE
        const askedAt = Date.now()
        const { code } = await process.member.authenticate(token)
        if (code === 'ERR_KEY_REVOKED') process.refused.add(kid)
        else if (process.refused.has(kid) || (isReadable && askedAt > mustKnowFrom)) {
          violations.push(`${kid} was accepted, or refused as ${code}; ${log.join('; ')}`)
        }
      }
    }
  }

  async function revokeAnother(): Promise<void> {
    const key = await issuer.addKey({ algorithm: 'ES256' })
    const revocation: Revocation = {
      kid: key.kid,
      token: await signFor(issuer, key),
      savedAt: Number.POSITIVE_INFINITY,
    }
    const { member } = chance.pick(processes)
    revocations.push(revocation)
    try {
      await member.revoke(key.kid)
      revocation.savedAt = Date.now()
    } catch (error) {
      expect(String(error)).toContain('StoreFailedError')
    }
  }

  /** Every process can read and write, and knows every revocation. */
  async function recovered(): Promise<void> {
    await eventually(
      `every process is well again; ${log.join('; ')}`,
      async () => {
        const statuses = await Promise.all(processes.map(async ({ member }) => await member.status()))
        const unwell = statuses.filter(({ store, health }) => store !== 'ready' || health !== 'fresh')
        // Which state it was in comes with the failure, as its cause.
        if (unwell.length > 0) throw new Error(JSON.stringify(unwell))
        return true
      },
      RECOVERY,
    )
    excusedUntil = Math.max(excusedUntil, Date.now())
    isReadable = true
    for (const revocation of revocations) revocation.savedAt = Math.min(revocation.savedAt, Date.now())
    await eventually(
      `every revocation is in force; ${log.join('; ')}`,
      async () => {
        await checkRevoked()
        return processes.every(({ refused }) => revocations.every(({ kid }) => refused.has(kid)))
      },
      RECOVERY,
    )
  }

  /** What happens to one of the processes. */
  const mishaps: readonly { readonly name: string; happen(process: Process): Promise<void> }[] = [
    {
      name: 'a process is killed and another started',
      async happen(process) {
        // What it has reported is checked first: its memory goes with it.
        await checkTraffic()
        await process.member.kill()
        const next = await start()
        process.member = next.member
        process.since = next.since
        process.refused.clear()
        allowedRequests += 2
      },
    },
    {
      name: 'a process is paused for four seconds',
      async happen(process) {
        process.member.pause()
        await sleep(4_000)
        process.member.resume()
        process.since = Date.now()
        allowedRequests += 2
      },
    },
    {
      name: 'the clock of a process is moved',
      async happen({ member }) {
        await member.moveClock(chance.pick([-HOUR, -60_000, -7_000, 7_000, 60_000, HOUR]))
        await sleep(1_000)
        await member.moveClock(0)
        // Another process's snapshot may be from the future for it, and its own for the others.
        allowedRequests += members
      },
    },
    { name: 'nothing happens to a process', happen: async () => await sleep(1_000) },
  ]

  async function step(trouble: Trouble): Promise<void> {
    const mishap = chance.pick(mishaps)
    log.push(`the store ${trouble.name} while ${mishap.name}`)
    const startedAt = Date.now()
    isReadable = trouble.isReadable
    const all = (): Member[] => processes.map(({ member }) => member)
    await trouble.begin(all(), options)
    const untouched = [...processes]
    const struck = untouched.splice(Math.floor(chance.next() * untouched.length), 1)[0]
    if (struck === undefined) throw new Error('there is no process')
    await Promise.all([mishap.happen(struck), checkRevoked(untouched)])
    await revokeAnother()
    await checkRevoked()
    await trouble.end(all())
    await recovered()
    await checkTraffic()
    // Each process for itself, and once more for the trouble that begins and ends.
    allowedRequests += members * ((Date.now() - startedAt) / PERIOD + 2)
  }

  let waiting: Trouble[] = []
  const endsAt = Date.now() + duration
  do {
    if (waiting.length === 0) waiting = [...deployment.troubles]
    const trouble = chance.pick(waiting)
    waiting.splice(waiting.indexOf(trouble), 1)
    await step(trouble)
    const before = issuer.requestCount('jwks')
    await sleep(2 * PERIOD)
    expect(issuer.requestCount('jwks') - before, `requests in two periods; ${log.join('; ')}`).toBeLessThanOrEqual(
      quietRequests,
    )
    await revokeAnother()
    allowedRequests += quietRequests
  } while (Date.now() < endsAt && violations.length === 0)
  await recovered()
  await checkTraffic()
  expect(issuer.requestCount('jwks'), log.join('; ')).toBeLessThanOrEqual(allowedRequests)
  return violations
}

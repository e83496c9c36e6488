import { afterEach, describe, expect, it } from 'vitest'
import { percentile, type SoakReport, soak } from './soak.ts'

// `npm run soak` sets the minutes and asks for the limits on time, too, which hold on a machine with nothing else to do.
const minutes = Number(process.env['SOAK_MINUTES'] ?? '1')
const seed = Number(process.env['SOAK_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const hostileTenants = Number(process.env['SOAK_TENANTS'] ?? '10')
const isTimed = process.env['SOAK_TIMED'] === 'yes'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

describe('an application with a good tenant beside hostile ones and unreachable ones', () => {
  const timeout = minutes * 60_000 + 60_000

  const run = `${minutes} min, hostile tenants: ${hostileTenants}, seed ${seed}`
  it(`serves the good tenant and refuses the hostile ones (${run})`, { timeout }, async () => {
    const options = { milliseconds: minutes * 60_000, seed, hostileTenants }
    const report = await soak(options, (close) => closing.push(close))
    console.info(summaryOf(report))

    expect(report.exit, 'the exit of the application').toBeUndefined()
    expect(report.escaped).toEqual([])
    // The good tenant's requests all pass, and none of the unsigned tokens does.
    expect([...report.alone.statuses.keys()]).toEqual([200])
    expect([...report.besideUnread.statuses.keys()]).toEqual([200])
    expect([...report.beside.statuses.keys()]).toEqual([200])
    const refusals: (number | string)[] = [400, 401, 503]
    expect([...report.hostile.statuses.keys()].filter((status) => !refusals.includes(status))).toEqual([])
    // A run without an attack would prove nothing.
    expect(report.hostile.latencies.length).toBeGreaterThan(500)
    expect(report.beside.latencies.length).toBeGreaterThan(1_000)
    expect(Object.keys(report.documents).length).toBeGreaterThan(15)
    if (!isTimed) return

    expect(percentile(report.beside, 0.99)).toBeLessThanOrEqual(2 * percentile(report.alone, 0.99))
    expect(report.longestStall.beside).toBeLessThanOrEqual(50)
  })
})

function summaryOf({ alone, besideUnread, beside, hostile, longestStall, documents }: SoakReport): object {
  const times = (seen: SoakReport['alone']) => ({
    requests: seen.latencies.length,
    p50: percentile(seen, 0.5).toFixed(2),
    p99: percentile(seen, 0.99).toFixed(2),
  })
  return {
    alone: times(alone),
    'beside the same clients, refused unread': times(besideUnread),
    beside: times(beside),
    hostile: Object.fromEntries(hostile.statuses),
    longestStall,
    documents: Object.values(documents).reduce((sum, count) => sum + count, 0),
  }
}

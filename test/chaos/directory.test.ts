import { describe, expect, it } from 'vitest'
import { chaosSeed, chaosTime, createChance } from './chance.ts'
import { runChaos } from './chaos-run.ts'
import { oneDirectory } from './directory-deployment.ts'

/** `CHAOS_MINUTES`, by default for ten seconds; one trouble happens at least. */
const time = chaosTime(10_000)

describe('no request with keys is refused, and no revoked key accepted, in trouble of', () => {
  const chance = createChance(chaosSeed())

  it(
    'a directory',
    async () => {
      // Without a lease, each process fetches for itself where two are due at the same moment.
      const violations = await runChaos({
        deployment: await oneDirectory(),
        chance,
        duration: time,
        members: 4,
        quietRequests: 12,
      })
      expect(violations).toEqual([])
    },
    time + 240_000,
  )
})

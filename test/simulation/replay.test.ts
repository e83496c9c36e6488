import { expect, it } from 'vitest'
import { simulate } from './run.ts'

const { SIMULATION_SEED: seed = '1', SIMULATION_HOURS: hours = '2' } = process.env

it(`replays seed ${seed} for ${hours} hours`, { timeout: 3_600_000 }, async () => {
  const result = await simulate(Number(seed), Number(hours))
  console.info(result)
  expect(result.counts.fetches).toBeGreaterThan(0)
})

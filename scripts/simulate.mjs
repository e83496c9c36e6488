// Plays the cache's simulation for one seed and as long as one likes:
//   npm run simulate -- --seed 7 --hours 720
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { seed: { type: 'string' }, hours: { type: 'string' } } })
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 32))
const hours = values.hours ?? '720'
for (const [name, value] of Object.entries({ seed, hours })) {
  if (!/^\d+$/.test(value)) {
    console.error(`--${name} must be a whole number`)
    process.exit(2)
  }
}

// Node 20 cannot run TypeScript by itself; the test runner can.
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/simulation/replay.test.ts'],
  {
    stdio: 'inherit',
    env: { ...process.env, SIMULATION_SEED: seed, SIMULATION_HOURS: hours },
  },
)
process.exitCode = status ?? 1

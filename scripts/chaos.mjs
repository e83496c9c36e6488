// Stores and fleets in trouble, for as long as you like, in an order that the seed decides:
//   npm run chaos -- --minutes 10 --seed 7
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
const { minutes = '10', seed } = values
for (const [name, value] of Object.entries({ minutes, seed })) {
  if (value !== undefined && !/^\d+$/.test(value)) {
    console.error(`--${name} must be a whole number`)
    process.exit(2)
  }
}

const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/chaos'], {
  stdio: 'inherit',
  env: { ...process.env, CHAOS_MINUTES: minutes, ...(seed === undefined ? {} : { CHAOS_SEED: seed }) },
})
process.exitCode = status ?? 1

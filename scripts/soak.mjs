// A hostile tenant, or several, does all it can for as long as one likes, beside a good one whose time is measured:
//   npm run soak -- --minutes 10 --tenants 1 --seed 7
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, tenants: { type: 'string' }, seed: { type: 'string' } },
})
const { minutes = '10', tenants = '1', seed } = values
for (const [name, value] of Object.entries({ minutes, tenants, seed })) {
  if (value !== undefined && !/^\d+$/.test(value)) {
    console.error(`--${name} must be a whole number`)
    process.exit(2)
  }
}

const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/soak'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    SOAK_MINUTES: minutes,
    SOAK_TENANTS: tenants,
    SOAK_TIMED: 'yes',
    ...(seed === undefined ? {} : { SOAK_SEED: seed }),
  },
})
process.exitCode = status ?? 1

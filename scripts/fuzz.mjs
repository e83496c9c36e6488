// Runs the properties of test/fuzz on many more cases than a test run does:
//   npm run fuzz -- --runs 100000 --seed 7
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } })
const { runs = '1000000', seed } = values
for (const [name, value] of Object.entries({ runs, seed })) {
  if (value !== undefined && !/^-?\d+$/.test(value)) {
    console.error(`--${name} must be a whole number`)
    process.exit(2)
  }
}

const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/fuzz'], {
  stdio: 'inherit',
  env: { ...process.env, FUZZ_RUNS: runs, FUZZ_TIMED: 'yes', ...(seed === undefined ? {} : { FUZZ_SEED: seed }) },
})
process.exitCode = status ?? 1

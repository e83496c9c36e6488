/**
 * Runs the tests, and the demo of `npm start`, on other versions of Node, which npx takes from the npm
 * registry: `node scripts/test-on-node.mjs [version…]`. Without versions: those that CONTRIBUTING.md lists.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const platform = process.platform === 'win32' ? 'win' : process.platform
const nodePackage = `node-${platform}-${process.arch}`
const demo = 'examples/demo'
const minute = 60_000

/**
 * Runs a script under a version of Node; returns whether it succeeded and what it said.
 *
 * @param {string} version
 * @param {string[]} args
 * @param {number} timeout
 */
function runOn(version, args, timeout) {
  const command = ['--yes', `--package=${nodePackage}@${version}`, '--', 'node', ...args]
  const { status, stdout, stderr, error } = spawnSync('npx', command, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', npm_config_loglevel: 'error', npm_config_prefer_offline: 'true' },
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout,
  })
  return { ok: status === 0, output: `${stdout}${stderr}${error ? `\n${error.message}` : ''}`.trim(), stdout }
}

/**
 * The counts of vitest's JSON report.
 *
 * @param {string} file
 */
function readCounts(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 }
  const report = JSON.parse(readFileSync(file, 'utf8'))
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/**
 * @param {string} version
 * @param {string} folder
 */
function testOn(version, folder) {
  const start = performance.now()
  const report = join(folder, `${version}.json`)
  const identity = runOn(version, ['--print', 'process.version'], 5 * minute)
  const isVersion = identity.ok && identity.stdout.trim() === `v${version}`
  const tests = isVersion
    ? runOn(
        version,
        [
          'node_modules/vitest/vitest.mjs',
          'run',
          // The others take long, and do not depend on the version of Node.
          '--project=quick*',
          '--reporter=default',
          '--reporter=json',
          `--outputFile.json=${report}`,
        ],
        8 * minute,
      )
    : { ok: false, output: `npx did not give Node ${version}:\n${identity.output}` }
  const counts = readCounts(report)
  const hasDemo = existsSync(`${root}${demo}/package.json`)
  const demoRun = isVersion && hasDemo ? runOn(version, [`${demo}/dist/main.js`], 2 * minute) : undefined
  return {
    version,
    counts,
    testsOk: tests.ok && counts.passed > 0,
    demo: demoRun === undefined ? '–' : demoRun.ok ? 'ok' : 'FAILED',
    outputs: [tests, demoRun].flatMap((run) => (run && !run.ok ? [run.output] : [])),
    seconds: (performance.now() - start) / 1000,
  }
}

const defaults = ['20.19.0', '22.23.3', '24.21.0', '26.10.0']
const versions = process.argv.length > 2 ? process.argv.slice(2) : defaults

const bootstrap = spawnSync(process.execPath, [`${root}scripts/bootstrap.mjs`], { stdio: 'inherit' })
if (bootstrap.status !== 0) process.exit(1)

const folder = mkdtempSync(join(tmpdir(), 'test-on-node-'))
const results = []
try {
  console.log('node        tests   passed  failed  skipped  demo    seconds')
  for (const version of versions) {
    const result = testOn(version, folder)
    results.push(result)
    const { passed, failed, skipped } = result.counts
    console.log(
      version.padEnd(12) +
        (result.testsOk ? 'ok' : 'FAILED').padEnd(8) +
        String(passed).padStart(6) +
        String(failed).padStart(8) +
        String(skipped).padStart(9) +
        `  ${result.demo.padEnd(6)}` +
        result.seconds.toFixed(1).padStart(9),
    )
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const { version, outputs } of results) {
  for (const output of outputs) console.log(`\n── Node ${version} ──\n${output}`)
}
process.exitCode = results.every((result) => result.testsOk && result.demo !== 'FAILED') ? 0 : 1

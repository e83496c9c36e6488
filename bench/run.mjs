/** Runs the sections one after the other and reports. `main.mjs` has made sure that all is installed. */
import { fork } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { readArguments, usage } from './harness/arguments.mjs'
import { machine, peerVersions } from './harness/machine.mjs'
import { report, section as sectionText, targetTable } from './harness/report.mjs'

const folder = fileURLToPath(new URL('.', import.meta.url))
const profiles = `${folder}dist/profiles`
/** Longer than any section takes, in milliseconds; a section that hangs is ended. */
const longestSection = 900_000
/** The same for a long life with ten million tokens, all distinct. */
const longestLife = 3_600_000

/**
 * @param {string} name
 * @param {{ quick: boolean, profile: boolean, allDistinct: boolean }} options
 * @returns {Promise<import('./harness/result.mjs').Result>}
 */
function runSection(name, { quick, profile, allDistinct }) {
  const execArgv = ['--expose-gc', ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [])]
  const flags = [...(quick ? ['quick'] : []), ...(allDistinct ? ['all-distinct'] : [])]
  return new Promise((resolve, reject) => {
    const child = fork(`${folder}processes/section.mjs`, [name, ...flags], {
      cwd: folder,
      execArgv,
      serialization: 'advanced',
      timeout: allDistinct ? longestLife : longestSection,
    })
    /** @type {import('./harness/result.mjs').Result | undefined} */
    let result
    child.once('message', (message) => {
      result = /** @type {import('./harness/result.mjs').Result} */ (message)
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (result !== undefined && code === 0) resolve(result)
      else reject(new Error(`The section ${name} failed (${signal ?? code}).`))
    })
  })
}

const options = readArguments(process.argv.slice(2))
if (options.help) {
  console.log(usage)
  process.exit(0)
}
const start = performance.now()
const about = { machine: machine(), peers: peerVersions() }
const [busy = 0] = loadavg()
if (busy > availableParallelism() / 2) {
  console.error(`Other programs use this machine (load average ${busy.toFixed(1)}): expect wide spreads.`)
}
const results = []
for (const name of options.sections) {
  console.error(`${name}…`)
  const began = performance.now()
  const result = await runSection(name, options)
  console.error(`  ${((performance.now() - began) / 1000).toFixed(1)} s`)
  console.log(`\n${sectionText(result).join('\n\n')}\n`)
  results.push(result)
}
console.log(`\n${targetTable(results)}\n`)

if (options.isWhole) {
  mkdirSync(`${folder}plots`, { recursive: true })
  for (const { file, svg } of results.flatMap(({ plots = [] }) => plots)) writeFileSync(`${folder}plots/${file}`, svg)
  const seconds = (performance.now() - start) / 1000
  writeFileSync(`${folder}RESULTS.md`, report(results, { ...about, seconds }))
  console.log('Written to bench/RESULTS.md and bench/plots.')
}

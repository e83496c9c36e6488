/**
 * Everything that is checked besides the tests: `npm run check` runs each `check:*` script of package.json
 * and reports it with its time; `node scripts/check.mjs types lint` runs some of them. The output of a
 * stage is shown only if it fails, except for lines that begin with `note: `.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const prefix = 'check:'

/** @type {{ scripts: Record<string, string> }} */
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const stages = new Map(
  Object.entries(scripts)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, command]) => [name.slice(prefix.length), command]),
)

/**
 * Runs a command as npm would; resolves to whether it succeeded and its output.
 *
 * @param {string} command
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
function run(command) {
  return new Promise((resolve) => {
    const child = spawn(command, {
      cwd: root,
      env: { ...process.env, PATH: `${root}node_modules/.bin${delimiter}${process.env.PATH}`, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: true,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
      })
    }
    child.on('error', (error) => resolve({ ok: false, output: error.message }))
    child.on('close', (code) => resolve({ ok: code === 0, output: output.trim() }))
  })
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : [...stages.keys()]
const unknown = chosen.filter((name) => !stages.has(name))
if (unknown.length > 0) {
  console.error(`No such check: ${unknown.join(', ')}. There are ${[...stages.keys()].join(', ')}.`)
  process.exit(1)
}

const failures = []
for (const name of chosen) {
  const command = stages.get(name) ?? ''
  const start = performance.now()
  const { ok, output } = await run(command)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name.padEnd(14)}${seconds.padStart(5)} s`)
  if (ok) for (const [line] of output.matchAll(/^note: .*$/gm)) console.log(`        ${line}`)
  else failures.push(`\n── ${name}: ${command} ──\n${output}`)
}
for (const failure of failures) console.log(failure)
process.exitCode = failures.length > 0 ? 1 : 0

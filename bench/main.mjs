/**
 * `npm run bench`: installs what this folder's own lockfile says, unless that has been done for this lockfile and this
 * Node, and runs the suite. The packages were compiled before. Uses only what Node ships with.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const stampFile = `${folder}node_modules/.bootstrap`

/**
 * @param {string} command
 * @param {string[]} parameters
 */
function run(command, parameters) {
  const { status, error } = spawnSync(command, parameters, {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status === 0) return
  if (error !== undefined) console.error(error.message)
  process.exit(status || 1)
}

const wanted = createHash('sha256')
  .update(readFileSync(`${folder}package-lock.json`))
  .update([process.version, process.platform, process.arch].join(' '))
  .digest('hex')
if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== wanted) {
  console.error('Installing the libraries to measure beside…')
  run('npm', ['ci', '--ignore-scripts', '--loglevel=error', '--prefer-offline'])
  writeFileSync(stampFile, wanted)
}
run(process.execPath, ['run.mjs', ...process.argv.slice(2)])

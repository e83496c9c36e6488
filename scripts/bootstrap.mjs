/**
 * Makes a fresh clone ready to run: checks the Node version, installs what the lockfile says if that
 * has not been done yet for this lockfile and this Node, and compiles the packages. Says nothing when
 * there is nothing to do. Uses only what Node ships with, because it runs before anything is installed.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stampFile = `${root}node_modules/.bootstrap`
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/**
 * Whether a version satisfies the two forms that `engines` uses: `^major.minor` and `>=major`.
 *
 * @param {string} version
 * @param {string} range
 */
function satisfies(version, range) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return range.split('||').some((alternative) => {
    const match = /^(\^|>=)(\d+)(?:\.(\d+))?$/.exec(alternative.trim())
    if (!match) throw new Error(`bootstrap cannot read "${alternative.trim()}" in engines.node`)
    const wanted = { major: Number(match[2]), minor: Number(match[3] ?? 0) }
    if (match[1] === '>=' && major > wanted.major) return true
    return major === wanted.major && minor >= wanted.minor
  })
}

/** What an installation depends on: the lockfile, the Node version and the platform. */
function fingerprint() {
  const hash = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(root + file))
  hash.update([process.version, process.platform, process.arch].join(' '))
  return hash.digest('hex')
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status === 0) return
  console.error(`\n"${[command, ...args].join(' ')}" failed${error ? `: ${error.message}` : ''}`)
  process.exit(status || 1)
}

if (!satisfies(process.versions.node, manifest.engines.node)) {
  console.error(`This repository needs Node ${manifest.engines.node}; this is ${process.version}.`)
  process.exit(1)
}

const wanted = fingerprint()
const installed = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : ''
if (installed !== wanted) {
  console.log('Installing dependencies…')
  run('npx', ['--yes', manifest.packageManager, 'install', '--frozen-lockfile', '--prefer-offline'], {
    ...process.env,
    CI: 'true', // pnpm must not stop to ask whether it may replace node_modules
    npm_config_loglevel: 'error',
    npm_config_prefer_offline: 'true',
    npm_config_fetch_retries: '1',
  })
  writeFileSync(stampFile, wanted)
}

run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-b'])

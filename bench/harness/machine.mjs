/** On what it was measured, and what. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('..', import.meta.url))

/** @returns {readonly (readonly [string, string])[]} */
export function machine() {
  const processor = cpus()[0]?.model.trim() ?? 'unknown'
  return [
    ['processor', `${processor}, ${availableParallelism()} cores`],
    ['memory', `${Math.round(totalmem() / 1024 ** 3)} GiB`],
    ['system', `${type()} ${release()}`],
    ['Node', `${process.version}, OpenSSL ${process.versions.openssl}`],
    ['load average before the run', loadavg()[0]?.toFixed(1) ?? 'unknown'],
    ['commit', commit()],
    ['date', new Date().toISOString().slice(0, 10)],
  ]
}

/** Name and version of each peer. @returns {string[]} */
export function peerVersions() {
  /** @type {{ dependencies: Record<string, string> }} */
  const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'))
  return Object.entries(dependencies).map(([name, version]) => `${name} ${version}`)
}

function commit() {
  try {
    const hash = git('rev-parse', '--short=10', 'HEAD')
    // Its own output does not count.
    const changed = git('status', '--porcelain', '--', '..', ':(exclude)RESULTS.md', ':(exclude)plots')
    return changed === '' ? hash : `${hash}, with changes that are not committed`
  } catch {
    return 'unknown'
  }
}

/** @param {...string} parameters */
function git(...parameters) {
  return execFileSync('git', parameters, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

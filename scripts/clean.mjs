/** Removes what the compiler emitted, so that nothing of a deleted source file is ever published. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
for (const group of ['packages', 'examples']) {
  if (!existsSync(root + group)) continue
  for (const name of readdirSync(root + group)) {
    rmSync(`${root}${group}/${name}/dist`, { recursive: true, force: true })
  }
}

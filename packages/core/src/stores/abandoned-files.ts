import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isTemporaryName } from './replace-file.ts'

/** A file that has been in the making for longer belongs to a process that died, in milliseconds. */
const ABANDONED_AFTER = 600_000

/** How often a directory is looked through, in milliseconds. */
const INTERVAL = 600_000

/**
 * Removes what processes left behind in a directory that died while they wrote, now and then. Never rejects: whether it
 * works shows in the write that it precedes.
 */
export function createSweep(directory: string): () => Promise<void> {
  let sweptAt = Number.NEGATIVE_INFINITY

  async function removeIfAbandoned(path: string, now: number): Promise<void> {
    const { mtimeMs } = await lstat(path)
    if (now - mtimeMs > ABANDONED_AFTER) await unlink(path)
  }

  return async () => {
    const now = Date.now()
    if (Math.abs(now - sweptAt) < INTERVAL) return
    sweptAt = now
    const names = await readdir(directory).catch(() => [])
    await Promise.allSettled(names.filter(isTemporaryName).map((name) => removeIfAbandoned(join(directory, name), now)))
  }
}

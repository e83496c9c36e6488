import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../base/options.ts'
import { isRefusedName, isSnapshotName } from './file-names.ts'
import { readJson } from './read-file.ts'
import { isTemporaryName } from './replace-file.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** How often a directory is searched, in milliseconds. */
const INTERVAL = 10 * MINUTE

/** A temporary file that is older belongs to a process that died, in milliseconds. */
const ABANDONED_AFTER = 10 * MINUTE

/** For how long the copy of a refused snapshot is kept, in milliseconds. */
const REFUSED_KEPT_FOR = 30 * DAY

/** Snapshots that were written more recently are not read in search of expired ones, in milliseconds. */
const RECENT = DAY

/** Snapshots that are read in one search: a save must not wait for thousands. The next search continues after them. */
const READ_AT_ONCE = 100

/** The longest snapshot that is read in search of expired ones, in bytes. A longer one stays. */
const LONGEST_READ = 1024 * 1024

/**
 * Creates a function that removes from a directory, every ten minutes at most: temporary files of processes that died,
 * refused copies after 30 days, and snapshots whose `keepUntil` is over. It never rejects: a directory that cannot be
 * cleaned up can perhaps still be written, and shows any trouble then.
 */
export function createSweep(directory: string, root: string): () => Promise<void> {
  let sweptAt = Number.NEGATIVE_INFINITY
  let next = 0

  async function isOlder(name: string, age: number, now: number): Promise<boolean> {
    const stats = await lstat(join(directory, name))
    return stats.isFile() && now - stats.mtimeMs > age
  }

  async function removeIfOlder(name: string, age: number, now: number): Promise<void> {
    if (await isOlder(name, age, now)) await unlink(join(directory, name))
  }

  async function removeIfExpired(name: string, now: number): Promise<void> {
    if (!(await isOlder(name, RECENT, now))) return
    const snapshot = await readJson(join(directory, name), root, LONGEST_READ)
    const keepUntil = isObject(snapshot) ? snapshot['keepUntil'] : undefined
    if (typeof keepUntil !== 'string' || !(Date.parse(keepUntil) < now)) return
    // Another process may have replaced it since.
    await removeIfOlder(name, RECENT, now)
  }

  return async () => {
    const now = Date.now()
    if (Math.abs(now - sweptAt) < INTERVAL) return
    sweptAt = now
    const names = await readdir(directory).catch(() => [])
    const snapshots = names.filter(isSnapshotName)
    if (next >= snapshots.length) next = 0
    const searched = snapshots.slice(next, next + READ_AT_ONCE)
    next += READ_AT_ONCE
    await Promise.allSettled([
      ...names.filter(isTemporaryName).map((name) => removeIfOlder(name, ABANDONED_AFTER, now)),
      ...names.filter(isRefusedName).map((name) => removeIfOlder(name, REFUSED_KEPT_FOR, now)),
      ...searched.map((name) => removeIfExpired(name, now)),
    ])
  }
}

import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode } from './system-error.ts'

/**
 * What some systems answer to the request to sync a directory: Windows always, some network file systems, and a parent
 * that may be entered but not read. The file itself is synced by then.
 */
const NOT_SYNCABLE = ['EPERM', 'EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'ENOSYS']

/** True for the name of a file that is being written, or that a process left behind which died writing it. */
export function isTemporaryName(name: string): boolean {
  return /^\.jwks-[0-9a-f]{32}\.tmp$/.test(name)
}

/**
 * Writes a file as a whole or not at all, whatever else happens: to another name first, synced, renamed, and the
 * directory synced. Only its owner can read and write it (0600). Makes the directory where it is missing (0700).
 * Rejects with the system's error; the old file is untouched then, unless it was the last step that failed.
 */
export async function replaceFile(directory: string, name: string, content: string | FileHandle): Promise<void> {
  const temporary = join(directory, `.jwks-${randomBytes(16).toString('hex')}.tmp`)
  const handle = await create(directory, temporary)
  try {
    try {
      // Nothing of the source is held in memory: what is set aside may be of any length.
      await writeFile(
        handle,
        typeof content === 'string' ? content : content.createReadStream({ start: 0, autoClose: false }),
      )
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, join(directory, name))
  } catch (error) {
    // What has failed before is what the caller must hear of.
    await unlink(temporary).catch(() => undefined)
    throw error
  }
  await syncDirectory(directory)
}

/** Removes a file for good; nothing to remove is no error. Rejects with the system's error. */
export async function removeFile(directory: string, name: string): Promise<void> {
  try {
    await unlink(join(directory, name))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  await syncDirectory(directory)
}

async function create(directory: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
  await makeDirectory(directory)
  return await open(path, 'wx', 0o600)
}

async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  // Each of the new directories is an entry of the one above it.
  for (let made = directory; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
}

async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (!hasCode(error, ...NOT_SYNCABLE)) throw error
  }
}

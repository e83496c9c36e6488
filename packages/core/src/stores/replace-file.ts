import { randomBytes } from 'node:crypto'
import { constants, type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode } from './system-error.ts'
import { retryTransient } from './transient-errors.ts'

/** The error code of Node's permission model, which forbids `fsync` in some versions even where writing is allowed. */
const FORBIDDEN = 'ERR_ACCESS_DENIED'

/**
 * Error codes of systems that cannot sync a directory: Windows always, some network file systems, a parent that may be
 * entered but not read, and Node's permission model. The file itself is synced by then.
 */
const NOT_SYNCABLE = ['EPERM', 'EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'ENOSYS', FORBIDDEN]

/** True for the name of a file that is being written, or was when its process died. */
export function isTemporaryName(name: string): boolean {
  return /^\.jwks-[0-9a-f]{32}\.tmp$/.test(name)
}

/**
 * Writes a file as a whole or not at all, even if the process or the machine fails: writes to a temporary name, syncs,
 * renames, syncs the directory. Only the owner can read and write the file (0600). Makes the directory where it is
 * missing (0700). Rejects with the system's error; the old file is untouched then, unless the last step failed.
 */
export async function replaceFile(directory: string, name: string, content: string | Buffer): Promise<void> {
  const temporary = join(directory, `.jwks-${randomBytes(16).toString('hex')}.tmp`)
  const handle = await create(directory, temporary)
  try {
    if (!(await writeSynced(handle, content))) await writeThrough(temporary, content)
    await retryTransient(() => rename(temporary, join(directory, name)))
  } catch (error) {
    // The first error is the one to report; what remains is removed by the next sweep.
    await unlink(temporary).catch(() => undefined)
    throw error
  }
  await syncDirectory(directory)
}

/** Removes a file durably; does nothing where there is none. Rejects with the system's error. */
export async function removeFile(directory: string, name: string): Promise<void> {
  try {
    await retryTransient(() => unlink(join(directory, name)))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  await syncDirectory(directory)
}

/** True where Node's permission model forbids to sync this directory. Rejects with no error. */
export async function isSyncForbidden(directory: string): Promise<boolean> {
  try {
    const handle = await open(directory)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    return false
  } catch (error) {
    return hasCode(error, FORBIDDEN)
  }
}

/** Writes, syncs and closes; false where syncing is forbidden. */
async function writeSynced(handle: FileHandle, content: string | Buffer): Promise<boolean> {
  try {
    await handle.writeFile(content)
    await handle.sync()
    return true
  } catch (error) {
    if (hasCode(error, FORBIDDEN)) return false
    throw error
  } finally {
    await handle.close()
  }
}

/** Writes the file once more, with each write synced by the system itself. Windows lacks the flag. */
async function writeThrough(path: string, content: string | Buffer): Promise<void> {
  const handle = await open(path, constants.O_WRONLY | constants.O_TRUNC | (constants.O_SYNC ?? 0))
  try {
    await handle.writeFile(content)
  } finally {
    await handle.close()
  }
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

/** Makes a directory and those above it. Node's own recursive `mkdir` does not end where a parent cannot be made. */
async function makeDirectory(directory: string): Promise<void> {
  const parent = dirname(directory)
  if (await makeOne(directory)) {
    await syncDirectory(parent)
    return
  }
  await makeDirectory(parent)
  if (!(await makeOne(directory))) await mkdir(directory, 0o700)
  await syncDirectory(parent)
}

/** False where the parent is missing; true also where the directory is there already. */
async function makeOne(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, 0o700)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return true
    if (hasCode(error, 'ENOENT') && dirname(directory) !== directory) return false
    throw error
  }
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

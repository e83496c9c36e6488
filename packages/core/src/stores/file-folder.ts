import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { constants, type FileHandle, lstat, mkdir, open, readdir, realpath, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isObject } from '../base/options.ts'
import { isRefusedName, isSnapshotName, isWithin } from './file-names.ts'
import { parseSnapshot } from './integrity.ts'
import { hasCode, retryTransient } from './system-error.ts'

/** The longest snapshot that is read or written, in bytes. */
export const LONGEST_SNAPSHOT: number = 16 * 1024 * 1024

/**
 * Symbolic links are checked before they are followed. A pipe must not block: there may be no writer. Windows
 * has neither flag.
 */
const READ_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Error codes for a link that is not followed. */
const LINK = ['ELOOP', 'EMLINK', 'EFTYPE']

/** Error codes for a socket, a device or a directory. */
const NOT_A_FILE = ['ENXIO', 'ENODEV', 'EISDIR']

/** Why there is nothing to read: no file, or something that is not read. The text is what a store returns instead. */
type Unreadable = 'absent' | 'not a regular file' | 'a symbolic link that leads out of the directory'

/**
 * Opens a regular file to read. Follows symbolic links within `root`, such as those of ConfigMap and Secret volumes
 * (`name` → `..data/name`), but not out of it. Rejects with the system's error.
 */
async function openFile(path: string, root: string): Promise<FileHandle | Unreadable> {
  const opened = await openUnlinked(path)
  if (opened !== 'link') return opened
  try {
    const target = await realpath(path)
    if (!isWithin(await realpath(root), target)) return 'a symbolic link that leads out of the directory'
    const followed = await openUnlinked(target)
    return followed === 'link' ? 'not a regular file' : followed
  } catch (error) {
    // A link to nothing, or to itself.
    if (hasCode(error, 'ENOENT', ...LINK)) return 'not a regular file'
    throw error
  }
}

async function openUnlinked(path: string): Promise<FileHandle | 'link' | Unreadable> {
  let handle: FileHandle
  try {
    if (constants.O_NOFOLLOW === undefined && (await lstat(path)).isSymbolicLink()) return 'link'
    handle = await open(path, READ_ONLY)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'absent'
    if (hasCode(error, ...LINK)) return 'link'
    if (hasCode(error, ...NOT_A_FILE)) return 'not a regular file'
    throw error
  }
  try {
    if ((await handle.stat()).isFile()) return handle
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  return 'not a regular file'
}

/**
 * Reads a file that this package wrote; `undefined` where there is none. Anything that is not to the byte what
 * `JSON.stringify` writes is returned as a string, and so is a sentence instead of a file that is longer than `longest`
 * bytes, is not a regular file or is a link out of `root`: the caller refuses it as foreign. The size is checked before
 * anything is read. Rejects with the system's error.
 */
export async function readJson(path: string, root: string, longest: number): Promise<unknown> {
  const handle = await openFile(path, root)
  if (handle === 'absent') return undefined
  if (typeof handle === 'string') return handle
  try {
    const { size } = await handle.stat()
    if (size > longest) return `longer than ${longest} bytes`
    // One byte more, so that a file that grows meanwhile is not taken for complete.
    return await parseExactly(await readStart(handle, size + 1))
  } finally {
    await handle.close()
  }
}

/** Reads at most `length` bytes from the start of a file. */
async function readStart(handle: FileHandle, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

async function parseExactly(bytes: Buffer): Promise<unknown> {
  const text = bytes.toString()
  const value = await parseSnapshot(text)
  try {
    // Decoding has replaced what is no UTF-8.
    return value !== undefined && isUtf8(bytes) && JSON.stringify(value) === text ? value : text
  } catch {
    // Nested too deeply to be written.
    return text
  }
}

/** The error code of Node's permission model, which forbids `fsync` in some versions even where writing is allowed. */
const FORBIDDEN = 'ERR_ACCESS_DENIED'

/**
 * Error codes of systems that cannot sync a directory: Windows always, some network file systems, a parent that may be
 * entered but not read, and Node's permission model. The file itself is synced by then.
 */
const NOT_SYNCABLE = ['EPERM', 'EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'ENOSYS', FORBIDDEN]

/** True for the name of a file that is being written, or was when its process died. */
function isTemporaryName(name: string): boolean {
  return /^\.jwks-[0-9a-f]{32}\.tmp$/.test(name)
}

/**
 * Writes a file as a whole or not at all, even if the process or the machine fails: writes to a temporary name, syncs,
 * renames, syncs the directory. Only the owner can read and write the file (0600). Makes the directory where it is
 * missing (0700). Rejects with the system's error; the old file is untouched then, unless the last step failed.
 */
async function replaceFile(directory: string, name: string, content: string | Buffer): Promise<void> {
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
async function removeFile(directory: string, name: string): Promise<void> {
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
    await openAndSync(directory)
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
    await openAndSync(directory)
  } catch (error) {
    if (!hasCode(error, ...NOT_SYNCABLE)) throw error
  }
}

async function openAndSync(directory: string): Promise<void> {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

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
function createSweep(directory: string, root: string): () => Promise<void> {
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

/** How much of a file is copied, in bytes: enough to see what it is, whatever its length. */
const LONGEST_COPY = 64 * 1024

/**
 * A directory of JSON files, each replaced as a whole. Changes to one file are made one after the other within this
 * process, and do not wait for those to other files; between processes the last one wins. All methods reject with the
 * system's error.
 */
export interface FileFolder {
  /** Returns what {@link readJson} returns. */
  read(name: string): Promise<unknown>
  /** Replaces a file by the value as JSON. Rejects with a `RangeError` for one that is too long to be read again. */
  write(name: string, value: unknown): Promise<void>
  /** Removes a file; does nothing where there is none. */
  remove(name: string): Promise<void>
  /** Copies the first 64 KiB of a file; does nothing where it is no regular file. */
  copy(name: string, to: string): Promise<void>
}

/** Where a folder is, and what it holds. */
export interface FileFolderOptions {
  /** The folder; made when something is written to it. */
  readonly directory: string
  /** The directory that symbolic links must not lead out of: the folder itself, or one above it. */
  readonly root: string
  /** The longest file that is read or written, in bytes. */
  readonly longest: number
}

/** Creates a folder's methods; touches no file. */
export function createFileFolder({ directory, root, longest }: FileFolderOptions): FileFolder {
  const sweep = createSweep(directory, root)
  const lastChanges = new Map<string, Promise<void>>()

  function inOrder(name: string, change: () => Promise<void>): Promise<void> {
    const changed = (lastChanges.get(name) ?? Promise.resolve()).then(change, change)
    const forget = (): void => {
      if (lastChanges.get(name) === changed) lastChanges.delete(name)
    }
    lastChanges.set(name, changed)
    changed.then(forget, forget)
    return changed
  }

  return {
    read: (name) => readJson(join(directory, name), root, longest),
    async write(name, value) {
      // At once, since the caller may change the object later.
      const text = JSON.stringify(value)
      const length = Buffer.byteLength(text)
      if (length > longest) throw new RangeError(`${length} bytes are more than the ${longest} that are read again`)
      await inOrder(name, async () => {
        await sweep()
        await replaceFile(directory, name, text)
      })
    },
    remove: (name) => inOrder(name, () => removeFile(directory, name)),
    copy: (name, to) =>
      inOrder(name, async () => {
        const source = await openFile(join(directory, name), root)
        if (typeof source === 'string') return
        let start: Buffer
        try {
          const { size } = await source.stat()
          start = await readStart(source, Math.min(size, LONGEST_COPY))
        } finally {
          await source.close()
        }
        await replaceFile(directory, to, start)
      }),
  }
}

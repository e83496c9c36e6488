import { constants, type FileHandle, lstat, open, realpath } from 'node:fs/promises'
import { isWithin } from './directory-path.ts'
import { parseSnapshot } from './plain-json.ts'
import { hasCode } from './system-error.ts'

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
export async function openFile(path: string, root: string): Promise<FileHandle | Unreadable> {
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
export async function readStart(handle: FileHandle, length: number): Promise<Buffer> {
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
    // Bytes, not texts: decoding replaces what is no UTF-8.
    return value !== undefined && Buffer.from(JSON.stringify(value)).equals(bytes) ? value : text
  } catch {
    // Nested too deeply to be written.
    return text
  }
}

import { constants, type FileHandle, open } from 'node:fs/promises'
import { hasCode } from './system-error.ts'

/** The longest file that is read or written, in bytes. */
export const LONGEST_FILE: number = 16 * 1024 * 1024

/**
 * A link is not followed: it could lead to a file of another's choice. A pipe is not waited for: nobody may ever write
 * to it. Windows has neither flag.
 */
const READ_ONLY = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** How systems say that what is there is a link, a socket, a device or a directory. */
const NOT_A_FILE = ['ELOOP', 'EMLINK', 'EFTYPE', 'ENXIO', 'ENODEV', 'EISDIR']

/** Opens a regular file to read; says so where there is nothing, or something else. Rejects with the system's error. */
export async function openFile(path: string): Promise<FileHandle | 'nothing' | 'no file'> {
  let handle: FileHandle
  try {
    handle = await open(path, READ_ONLY)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'nothing'
    if (hasCode(error, ...NOT_A_FILE)) return 'no file'
    throw error
  }
  try {
    if ((await handle.stat()).isFile()) return handle
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  return 'no file'
}

/**
 * What a file holds; `undefined` where there is none. What is not to the byte what `JSON.stringify` writes comes back
 * as a string, and so does what is no regular file or too long: the caller refuses it, as it would a foreign one.
 * Rejects with the system's error.
 */
export async function readJson(path: string): Promise<unknown> {
  const handle = await openFile(path)
  if (handle === 'nothing') return undefined
  if (handle === 'no file') return 'not a regular file'
  try {
    const { size } = await handle.stat()
    if (size > LONGEST_FILE) return `longer than ${LONGEST_FILE} bytes`
    return parseExactly(await readUpTo(handle, size + 1))
  } finally {
    await handle.close()
  }
}

/** The first bytes of a file; asks for one more than it should have, so that one which grows is not taken for whole. */
async function readUpTo(handle: FileHandle, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

function parseExactly(bytes: Buffer): unknown {
  const text = bytes.toString()
  try {
    const value: unknown = JSON.parse(text)
    // Bytes, not texts: decoding replaces what is no UTF-8.
    return Buffer.from(JSON.stringify(value)).equals(bytes) ? value : text
  } catch {
    return text
  }
}

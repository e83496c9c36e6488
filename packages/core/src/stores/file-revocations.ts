import { createHash, randomUUID } from 'node:crypto'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createFileFolder } from './file-folder.ts'
import { isRevocationName, isWithin, revocationName } from './file-names.ts'
import type { RevocationStore } from './snapshot-store.ts'
import { hasCode } from './system-error.ts'

/** The longest record that is read or written, in bytes. Those of a registry have some hundred. */
const LONGEST_RECORD = 8 * 1024

/** Records that are read by one load. Together with their length, this bounds its memory. */
const MOST_RECORDS = 20_000

/** Files that are read at once. Node reads four at a time; each that waits has a descriptor. */
const READERS = 16

/**
 * Creates revocations as files in the directory `revoked` below `root`, one each. A file that cannot be read is loaded as
 * a sentence, which the registry refuses, and the others are loaded all the same. Methods reject where the directory
 * itself cannot be listed.
 */
export function fileRevocations(root: string): RevocationStore {
  const directory = join(root, 'revoked')
  const folder = createFileFolder({ directory, root, longest: LONGEST_RECORD })
  /** True if a file could not be read for a reason that may pass, so that a later load may find more. */
  let isIncomplete = false

  /** Rejects where the directory is a symbolic link out of the store: files would be written elsewhere. */
  async function checkPlace(): Promise<void> {
    try {
      if (isWithin(await realpath(root), await realpath(directory))) return
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return
      throw error
    }
    throw new Error(`${directory} is a symbolic link that leads out of ${root}`)
  }

  async function names(): Promise<readonly string[]> {
    await checkPlace()
    try {
      return (await readdir(directory)).filter(isRevocationName).toSorted()
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return []
      throw error
    }
  }

  async function readRecord(name: string): Promise<unknown> {
    try {
      return await folder.read(name)
    } catch (error) {
      // A change of permissions changes the revision. After any other error, the next poll has to load again.
      if (!hasCode(error, 'EACCES', 'EPERM')) isIncomplete = true
      return 'not readable'
    }
  }

  return {
    async revision() {
      const stamps = await Promise.all((await names()).slice(0, MOST_RECORDS).map((name) => stampOf(directory, name)))
      if (isIncomplete) stamps.push(randomUUID())
      return createHash('sha256').update(stamps.join('\n')).digest('base64url')
    },
    async load() {
      const found = await names()
      isIncomplete = false
      const records: unknown[] = []
      if (found.length > MOST_RECORDS) records.push(`more than ${MOST_RECORDS} records: the rest was not read`)
      const remaining = found.slice(0, MOST_RECORDS).values()
      const read = async (): Promise<void> => {
        for (const name of remaining) records.push(await readRecord(name))
      }
      await Promise.all(Array.from({ length: READERS }, read))
      return records.filter((record) => record !== undefined)
    },
    async save(id, record) {
      const name = revocationName(id)
      await checkPlace()
      await folder.write(name, record)
    },
  }
}

/**
 * Changes whenever a file, or the target of a link, is replaced; within one tick of the file system's clock, too, since
 * the new file has another inode than the old one.
 */
async function stampOf(directory: string, name: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(join(directory, name), { bigint: true })
    return [name, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    // A file without a stamp must not hide changes of the others.
    return hasCode(error, 'ENOENT') ? '' : `${name} unknown`
  }
}

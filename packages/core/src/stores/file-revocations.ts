import { createHash } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileFolder } from './file-folder.ts'
import { isRevocationName, revocationName } from './file-names.ts'
import type { RevocationStore } from './snapshot-store.ts'
import { hasCode } from './system-error.ts'

/** Files that are read at once. Node reads four at a time; each that waits holds a descriptor. */
const READERS = 16

/** Revocations as files of a folder, one each. */
export function fileRevocations(directory: string, folder: FileFolder): RevocationStore {
  async function names(): Promise<readonly string[]> {
    try {
      return (await readdir(directory)).filter(isRevocationName).toSorted()
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return []
      throw error
    }
  }

  /**
   * A record that this user may not read is refused by itself, so that the others count. Other errors may pass, and to
   * go on without the record would let a revoked key in: the whole must be read again.
   */
  async function readRecord(name: string): Promise<unknown> {
    try {
      return await folder.read(name)
    } catch (error) {
      if (hasCode(error, 'EACCES', 'EPERM')) return 'not readable by this user'
      throw error
    }
  }

  return {
    async revision() {
      const stamps = await Promise.all((await names()).map((name) => stampOf(directory, name)))
      return createHash('sha256').update(stamps.join('\n')).digest('base64url')
    },
    async load() {
      const records: unknown[] = []
      const remaining = (await names()).values()
      const read = async (): Promise<void> => {
        for (const name of remaining) records.push(await readRecord(name))
      }
      await Promise.all(Array.from({ length: READERS }, read))
      return records.filter((record) => record !== undefined)
    },
    save: async (id, revocation) => folder.write(revocationName(id), revocation),
  }
}

/**
 * Changes whenever a file is replaced; within one tick of the file system's clock, too, since the new file lies
 * elsewhere on the disk than the old one.
 */
async function stampOf(directory: string, name: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await lstat(join(directory, name), { bigint: true })
    return [name, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    throw error
  }
}

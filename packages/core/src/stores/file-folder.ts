import { join } from 'node:path'
import { createSweep } from './expired-files.ts'
import { openFile, readJson, readStart } from './read-file.ts'
import { removeFile, replaceFile } from './replace-file.ts'

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

import { join } from 'node:path'
import { createSweep } from './abandoned-files.ts'
import { LONGEST_FILE, openFile, readJson } from './read-file.ts'
import { removeFile, replaceFile } from './replace-file.ts'

/**
 * A directory of JSON files, each replaced as a whole. Changes to one file take turns within this process; between
 * processes the last one wins. All methods reject with the system's error.
 */
export interface FileFolder {
  /** What {@link readJson} makes of a file. */
  read(name: string): Promise<unknown>
  /** Replaces a file by the value as JSON, at most {@link LONGEST_FILE} bytes: a longer one could not be read again. */
  write(name: string, value: unknown): Promise<void>
  /** Removes a file; nothing to remove is no error. */
  remove(name: string): Promise<void>
  /** Copies a file, byte for byte; nothing happens where it is no regular file. */
  copy(name: string, to: string): Promise<void>
}

/** The folder at a path; made when something is written to it. */
export function createFileFolder(directory: string): FileFolder {
  const sweep = createSweep(directory)
  const lastTurns = new Map<string, Promise<void>>()

  function inTurn(name: string, task: () => Promise<void>): Promise<void> {
    const turn = (lastTurns.get(name) ?? Promise.resolve()).then(task, task)
    const forget = (): void => {
      if (lastTurns.get(name) === turn) lastTurns.delete(name)
    }
    lastTurns.set(name, turn)
    turn.then(forget, forget)
    return turn
  }

  return {
    read: (name) => readJson(join(directory, name)),
    async write(name, value) {
      // At once, since the caller may change the object later.
      const text = JSON.stringify(value)
      const length = Buffer.byteLength(text)
      if (length > LONGEST_FILE) throw new RangeError(`${length} bytes are too long for a file of ${LONGEST_FILE}`)
      await inTurn(name, async () => {
        await sweep()
        await replaceFile(directory, name, text)
      })
    },
    remove: (name) => inTurn(name, () => removeFile(directory, name)),
    copy: (name, to) =>
      inTurn(name, async () => {
        const source = await openFile(join(directory, name))
        if (typeof source === 'string') return
        try {
          await replaceFile(directory, to, source)
        } finally {
          await source.close()
        }
      }),
  }
}

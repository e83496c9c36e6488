import { join, resolve } from 'node:path'
import { knownOptions, objectOption, stringOption } from '../base/options.ts'
import { directoryWarnings } from './directory-warnings.ts'
import { createFileFolder } from './file-folder.ts'
import { refusedName, snapshotName } from './file-names.ts'
import { fileRevocations } from './file-revocations.ts'
import type { SnapshotStore } from './snapshot-store.ts'

/** Where a file store keeps its files. */
export interface FileStoreOptions {
  /**
   * The directory, absolute or relative to the working directory at creation; not empty. Made with mode 0700 when
   * something is saved and it is missing. Several processes may share it, on one machine.
   */
  readonly directory: string
}

/**
 * Keeps key sets in files, one each, and revocations in the directory `revoked` below. A file is replaced as a whole or
 * not at all, whenever a process dies, and has mode 0600; at most 16 MiB are written or read. What is damaged, foreign,
 * a link or no file at all is loaded as a string, which the registry refuses; its copy is kept as `….refused`.
 *
 * Methods reject with the system's error (`ENOSPC`, `EROFS`, `EACCES`, `EIO`, …), with a `RangeError` for a snapshot
 * that is too long, and with a `TypeError` for a key that no registry has made.
 *
 * @throws TypeError that names a wrong option
 */
export function fileStore(options: FileStoreOptions): SnapshotStore {
  const checked = objectOption('options of fileStore', options)
  knownOptions('fileStore', checked, ['directory'])
  const name = stringOption('directory', checked['directory'])
  if (name.includes('\0')) throw new TypeError('directory must not contain a null character')
  // A working directory that is changed later must not move the store.
  const directory = resolve(name)
  const revocations = join(directory, 'revoked')
  const folder = createFileFolder(directory)

  return {
    load: async (key) => folder.read(snapshotName(key)),
    save: async (key, snapshot) => folder.write(snapshotName(key), snapshot),
    delete: async (key) => folder.remove(snapshotName(key)),
    setAside: async (key) => folder.copy(snapshotName(key), refusedName(key)),
    warnings: () => directoryWarnings(directory, revocations),
    revocations: fileRevocations(revocations, createFileFolder(revocations)),
  }
}

import { join } from 'node:path'
import { knownOptions, type OptionTable, objectOption, readOptions, stringOption } from '../base/options.ts'
import { checkDirectory } from './directory-path.ts'
import { directoryWarnings } from './directory-warnings.ts'
import { createFileFolder } from './file-folder.ts'
import { refusedName, snapshotName } from './file-names.ts'
import { fileRevocations } from './file-revocations.ts'
import { LONGEST_SNAPSHOT } from './read-file.ts'
import type { SnapshotStore } from './snapshot-store.ts'

/** Where a file store keeps its files. */
export interface FileStoreOptions {
  /**
   * The directory, absolute or relative to the working directory at creation. Not empty, not in a special file system
   * (`/proc`, `/sys`, `/dev` except `/dev/shm`), and not beginning with `~`, which Node does not expand. Made with mode
   * 0700 when something is saved and it is missing. Several processes of one machine may share it.
   */
  readonly directory: string
}

const table: OptionTable<FileStoreOptions, FileStoreOptions> = {
  directory: { check: (name, value) => checkDirectory(stringOption(name, value)) },
}

/**
 * Keeps key sets in files, one each, and revocations in the directory `revoked` below. A file is replaced as a whole or
 * not at all, whenever a process dies, and has mode 0600. At most 16 MiB of a snapshot and 8 KiB of a revocation are read
 * or written. Symbolic links are followed within the directory, not out of it.
 *
 * A file that is damaged, foreign, too long or no regular file is loaded as a string, which the registry refuses;
 * `setAside` keeps its first 64 KiB as `….refused` for 30 days. Saving removes snapshots whose `keepUntil` is over (some
 * at a time, once they are a day old), and after ten minutes the temporary files of processes that died.
 *
 * Methods reject with the system's error (`ENOSPC`, `EROFS`, `EACCES`, `EIO`, …), with a `RangeError` for a value that
 * is too long, and with a `TypeError` for a key that no registry has made.
 *
 * @throws TypeError that names a wrong option
 */
export function fileStore(options: FileStoreOptions): SnapshotStore {
  const given = objectOption('options of fileStore', options)
  knownOptions('fileStore', given, Object.keys(table))
  const { directory } = readOptions('', given, table)
  const folder = createFileFolder({ directory, root: directory, longest: LONGEST_SNAPSHOT })

  return {
    load: async (key) => folder.read(snapshotName(key)),
    save: async (key, snapshot) => folder.write(snapshotName(key), snapshot),
    delete: async (key) => folder.remove(snapshotName(key)),
    setAside: async (key) => folder.copy(snapshotName(key), refusedName(key)),
    warnings: () => directoryWarnings(directory, join(directory, 'revoked')),
    revocations: fileRevocations(directory),
  }
}

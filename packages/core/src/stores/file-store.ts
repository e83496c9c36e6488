import type { Stats } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { knownOptions, type OptionTable, objectOption, readOptions, stringOption } from '../base/options.ts'
import { createFileFolder, isSyncForbidden, LONGEST_SNAPSHOT } from './file-folder.ts'
import { checkDirectory, isRevocationName, isSnapshotName, refusedName, snapshotName } from './file-names.ts'
import { fileRevocations } from './file-revocations.ts'
import type { SnapshotStore } from './snapshot-store.ts'
import { hasCode } from './system-error.ts'

const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000
const ROOT = 0

const CONSEQUENCE = 'can make this process trust any key, unless integrityKey is set'

const NOT_SYNCED =
  "Node's permission model forbids fsync: the name of a new file may be lost if the machine fails right after a save."

/**
 * Returns sentences about what makes the store's files unsafe: other users can write to a directory, replace it, or wrote
 * a file in it; or files cannot be synced. Judges owners and modes; access control lists are not seen. Windows has no such
 * modes. Skips directories that Node's permission model hides. Rejects with the system's error.
 */
async function directoryWarnings(directory: string, revocations: string): Promise<readonly string[]> {
  const foreign = await ownerWarnings(directory, revocations)
  const [nearest] = await existing(directory)
  return nearest !== undefined && (await isSyncForbidden(nearest)) ? [...foreign, NOT_SYNCED] : foreign
}

async function ownerWarnings(directory: string, revocations: string): Promise<readonly string[]> {
  const user = process.geteuid?.()
  if (user === undefined) return []
  // Root can do as it likes anyway.
  const isForeign = ({ uid }: Stats): boolean => uid !== user && uid !== ROOT

  const holders = [...(await existing(directory)), ...(await existing(revocations))]
  const above = holders.flatMap(parentsOf).filter((path) => !holders.includes(path))
  const sentences = [
    ...(await Promise.all(holders.map((path) => ofDirectory(path, 'holds files', isForeign)))),
    ...(await Promise.all(above.map((path) => ofDirectory(path, 'is above', isForeign)))),
    await ofFiles(directory, isSnapshotName, isForeign),
    await ofFiles(revocations, isRevocationName, isForeign),
  ]
  return [...new Set(sentences.flat())]
}

/** A directory, or the nearest existing one above it: its path as given, and without symbolic links. */
async function existing(path: string): Promise<readonly string[]> {
  const real = await unlessInvisible(realpath(path))
  if (real !== undefined) return [path, real]
  const parent = dirname(path)
  return parent === path ? [] : await existing(parent)
}

function parentsOf(path: string): readonly string[] {
  const parent = dirname(path)
  return parent === path ? [] : [parent, ...parentsOf(parent)]
}

async function ofDirectory(
  path: string,
  role: 'holds files' | 'is above',
  isForeign: (stats: Stats) => boolean,
): Promise<readonly string[]> {
  const stats = await unlessInvisible(lstat(path))
  if (stats === undefined) return []
  // In a sticky directory, users cannot rename the files of others, but can make new ones.
  const isProtected = stats.isSymbolicLink() || (role === 'is above' && (stats.mode & STICKY) !== 0)
  const sentences: string[] = []
  if (!isProtected && (stats.mode & WRITABLE_BY_OTHERS) !== 0) {
    sentences.push(`The directory ${path} is writable by other users: whoever can write there ${CONSEQUENCE}.`)
  }
  if (isForeign(stats)) sentences.push(`The directory ${path} belongs to another user, who ${CONSEQUENCE}.`)
  return sentences
}

async function ofFiles(
  directory: string,
  isOurs: (name: string) => boolean,
  isForeign: (stats: Stats) => boolean,
): Promise<readonly string[]> {
  const names = ((await unlessInvisible(readdir(directory))) ?? []).filter(isOurs).toSorted()
  const files = await Promise.all(
    names.map(async (name) => ({ name, stats: await unlessInvisible(lstat(join(directory, name))) })),
  )
  const suspicious = files.filter(
    ({ stats }) =>
      stats !== undefined && (isForeign(stats) || (stats.isFile() && (stats.mode & WRITABLE_BY_OTHERS) !== 0)),
  )
  const [first] = suspicious
  if (first === undefined) return []
  const which = suspicious.length === 1 ? first.name : `${first.name} and ${suspicious.length - 1} more`
  return [`In ${directory}, ${which} can be written by other users: whoever can write there ${CONSEQUENCE}.`]
}

async function unlessInvisible<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  try {
    return await promise
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ERR_ACCESS_DENIED')) return undefined
    throw error
  }
}

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

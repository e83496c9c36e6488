import type { Stats } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isRevocationName, isSnapshotName } from './file-names.ts'
import { hasCode } from './system-error.ts'

const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000
const ROOT = 0

const CONSEQUENCE = 'can make this process trust any key, unless integrityKey is set'

/**
 * Sentences about what makes the store's files unsafe to believe: others may write to a directory, replace it, or have
 * written what is in it. Judged by owners and modes, so that access control lists go unseen. Empty on Windows, which
 * has no such modes. Rejects with the system's error.
 */
export async function directoryWarnings(directory: string, revocations: string): Promise<readonly string[]> {
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

/** A directory, or the one in which it will be made: as it is called, and where its links lead. */
async function existing(path: string): Promise<readonly string[]> {
  const real = await unlessAbsent(realpath(path))
  return real === undefined ? await existing(dirname(path)) : [path, real]
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
  const stats = await unlessAbsent(lstat(path))
  if (stats === undefined) return []
  // In a sticky directory, nobody renames what is another's; but new files are for everybody to make.
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
  const names = ((await unlessAbsent(readdir(directory))) ?? []).filter(isOurs).toSorted()
  const files = await Promise.all(
    names.map(async (name) => ({ name, stats: await unlessAbsent(lstat(join(directory, name))) })),
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

async function unlessAbsent<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  try {
    return await promise
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

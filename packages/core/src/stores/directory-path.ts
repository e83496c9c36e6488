import { realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'

/** File systems that hold no files of applications. In `/proc`, Node's recursive `mkdir` never returns. */
const SPECIAL = ['/proc', '/sys', '/dev']

/** A directory in memory, for files of applications (Filesystem Hierarchy Standard 3.0 §3.5). */
const SHARED_MEMORY = '/dev/shm'

/**
 * Returns the absolute path of a directory that a store may use.
 *
 * @throws TypeError for a path that begins with `~`, contains a null character or is in a special file system, also by
 * way of a symbolic link
 */
export function checkDirectory(name: string): string {
  if (name.includes('\0')) throw new TypeError('directory must not contain a null character')
  if (name.startsWith('~')) {
    throw new TypeError('directory must not begin with "~", which Node does not expand: use os.homedir()')
  }
  // Resolved now: a working directory that changes later must not move the store.
  const directory = resolve(name)
  for (const path of [directory, realPath(directory)]) {
    const special = SPECIAL.find((place) => isWithin(place, path))
    if (special !== undefined && !isWithin(SHARED_MEMORY, path)) {
      throw new TypeError(`directory must not be in ${special}, a special file system`)
    }
  }
  return directory
}

/** True if `path` is `directory` or below it. Both are absolute and, for a reliable result, without symbolic links. */
export function isWithin(directory: string, path: string): boolean {
  const rest = relative(directory, path)
  return rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest)
}

/** The path without symbolic links, as far as it exists and may be read. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPath(parent), basename(path))
  }
}

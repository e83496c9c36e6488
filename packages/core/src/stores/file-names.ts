import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { isIdentifier } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'

/** Prefixes of the registry's own records; one of those may be set aside in turn. */
const OWN_RECORD = /^(?:\.(?:revoked|refused)\.){1,2}/

const REVOCATION_ID = /^[0-9a-f]{32}$/

/** True for the name of a file that holds a snapshot. */
export function isSnapshotName(name: string): boolean {
  return /^jwks-[a-z0-9_.-]+-[0-9a-f]{32}\.json$/.test(name)
}

/** True for the name of a file that holds a copy of a refused snapshot. */
export function isRefusedName(name: string): boolean {
  return /^jwks-[a-z0-9_.-]+-[0-9a-f]{32}\.refused$/.test(name)
}

/** True for the name of a file that holds a revocation. */
export function isRevocationName(name: string): boolean {
  return /^[0-9a-f]{32}\.json$/.test(name)
}

/**
 * The name of a key's file: at most 193 ASCII characters, and no device name of Windows. Tenant and provider are there
 * for operators to read; the hash keeps keys apart, also on a file system that ignores case.
 *
 * @throws TypeError for a key that no registry uses, so that no name leads out of the directory
 */
export function snapshotName({ tenant, provider }: ProviderKey): string {
  return `${baseName(tenant, provider)}.json`
}

/** The name of the copy of a refused file. This package never reads it. */
export function refusedName({ tenant, provider }: ProviderKey): string {
  return `${baseName(tenant, provider)}.refused`
}

function baseName(tenant: unknown, provider: unknown): string {
  if (!isIdentifier(tenant)) throw new TypeError("the key's tenant must be a name that a registry takes")
  if (typeof provider !== 'string' || !isIdentifier(provider.replace(OWN_RECORD, ''))) {
    throw new TypeError("the key's provider must be a name that a registry takes or makes")
  }
  const hash = createHash('sha256')
    .update(JSON.stringify([tenant, provider]))
    .digest('hex')
    .slice(0, 32)
  return `jwks-${tenant.toLowerCase()}-${provider.toLowerCase()}-${hash}`
}

/**
 * The name of a revocation's file.
 *
 * @throws TypeError for an id that is not 32 hexadecimal digits in lower case
 */
export function revocationName(id: string): string {
  if (typeof id !== 'string' || !REVOCATION_ID.test(id)) {
    throw new TypeError("a revocation's id must be 32 hexadecimal digits in lower case")
  }
  return `${id}.json`
}

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

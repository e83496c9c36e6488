import { createHash } from 'node:crypto'
import { isIdentifier } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'

/** What the registry puts before a provider's name for records of its own; one of those may be set aside in turn. */
const OWN_RECORD = /^(?:\.(?:revoked|refused)\.){1,2}/

const TOMBSTONE_ID = /^[0-9a-f]{32}$/

/** True for the name of a file that holds a snapshot. */
export function isSnapshotName(name: string): boolean {
  return /^jwks-[a-z0-9_.-]+-[0-9a-f]{32}\.json$/.test(name)
}

/** True for the name of a file that holds a revocation. */
export function isRevocationName(name: string): boolean {
  return /^[0-9a-f]{32}\.json$/.test(name)
}

/**
 * The name of a key's file: at most 193 characters of ASCII, no device's name on Windows. Tenant and provider are there
 * for the operator's eye; what keeps keys apart is the hash, on a disk that ignores case, too.
 *
 * @throws TypeError for what is no key that a registry uses, so that no name leads out of the directory
 */
export function snapshotName({ tenant, provider }: ProviderKey): string {
  return `${baseName(tenant, provider)}.json`
}

/** The name of the copy of a key's file that was refused. Never read again by this package. */
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
  if (typeof id !== 'string' || !TOMBSTONE_ID.test(id)) {
    throw new TypeError("a revocation's id must be 32 hexadecimal digits in lower case")
  }
  return `${id}.json`
}

import { isIdentifier, isObject } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { Revocation } from '../jwks-cache/revocations.ts'
import type { VerifiedPayload } from '../stores/integrity.ts'

/** A revocation, and the provider whose key it revokes. */
export interface StoredRevocation {
  readonly key: ProviderKey
  readonly record: Revocation
  /** As in `VerifiedPayload`. */
  readonly isCurrent: boolean
}

/** What is signed for one record. */
export function revocationPayload(key: ProviderKey, record: Revocation): unknown {
  return { kind: 'revocation', key, record }
}

/** What is signed for all records of a provider. */
export function revocationListPayload(key: ProviderKey, records: readonly Revocation[]): unknown {
  return { kind: 'revocations', key, records }
}

/** Reads one record; `undefined` where it is none. */
export function readRevocation(verified: VerifiedPayload): StoredRevocation | undefined {
  if (!verified.ok || !isObject(verified.payload) || verified.payload['kind'] !== 'revocation') return undefined
  const { key, record } = verified.payload
  return isKey(key) && isRevocation(record) ? { key, record, isCurrent: verified.isCurrent } : undefined
}

/** Reads all records of this provider, each judged alone; `undefined` where it is no list of them. */
export function readRevocationList(
  verified: VerifiedPayload,
  key: ProviderKey,
): readonly StoredRevocation[] | undefined {
  if (!verified.ok || !isObject(verified.payload) || verified.payload['kind'] !== 'revocations') return undefined
  const { key: of, records } = verified.payload
  if (!isKey(of) || of.tenant !== key.tenant || of.provider !== key.provider || !Array.isArray(records)) {
    return undefined
  }
  const { isCurrent } = verified
  return records.filter(isRevocation).map((record) => ({ key, record, isCurrent }))
}

function isKey(value: unknown): value is ProviderKey {
  return isObject(value) && isIdentifier(value['tenant']) && isIdentifier(value['provider'])
}

function isRevocation(value: unknown): value is Revocation {
  if (!isObject(value)) return false
  const { id, kid, thumbprints, isLifted } = value
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) return false
  if (typeof kid !== 'string' || typeof isLifted !== 'boolean') return false
  return Array.isArray(thumbprints) && thumbprints.every((thumbprint) => typeof thumbprint === 'string')
}

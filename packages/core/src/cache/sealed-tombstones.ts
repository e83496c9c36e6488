import { isIdentifier, isObject } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { Opened } from '../store/integrity.ts'
import type { Tombstone } from './tombstones.ts'

/** A revocation, and whose key it is about. */
export interface StoredTombstone {
  readonly key: ProviderKey
  readonly record: Tombstone
  /** As in `Opened`. */
  readonly isCurrent: boolean
}

/** What is sealed for one record. */
export function tombstonePayload(key: ProviderKey, record: Tombstone): unknown {
  return { kind: 'tombstone', key, record }
}

/** What is sealed for all records of a provider. */
export function tombstoneListPayload(key: ProviderKey, records: readonly Tombstone[]): unknown {
  return { kind: 'tombstones', key, records }
}

/** One record, or `undefined` where it is none. */
export function readTombstone(opened: Opened): StoredTombstone | undefined {
  if (!opened.ok || !isObject(opened.payload) || opened.payload['kind'] !== 'tombstone') return undefined
  const { key, record } = opened.payload
  return isKey(key) && isTombstone(record) ? { key, record, isCurrent: opened.isCurrent } : undefined
}

/** All records of this provider, or `undefined` where it is no list of them. */
export function readTombstoneList(opened: Opened, key: ProviderKey): readonly StoredTombstone[] | undefined {
  if (!opened.ok || !isObject(opened.payload) || opened.payload['kind'] !== 'tombstones') return undefined
  const { key: of, records } = opened.payload
  if (!isKey(of) || of.tenant !== key.tenant || of.provider !== key.provider || !Array.isArray(records))
    return undefined
  const { isCurrent } = opened
  return records.every(isTombstone) ? records.map((record) => ({ key, record, isCurrent })) : undefined
}

function isKey(value: unknown): value is ProviderKey {
  return isObject(value) && isIdentifier(value['tenant']) && isIdentifier(value['provider'])
}

function isTombstone(value: unknown): value is Tombstone {
  if (!isObject(value)) return false
  const { id, kid, thumbprints, isLifted } = value
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) return false
  if (typeof kid !== 'string' || typeof isLifted !== 'boolean') return false
  return Array.isArray(thumbprints) && thumbprints.every((thumbprint) => typeof thumbprint === 'string')
}

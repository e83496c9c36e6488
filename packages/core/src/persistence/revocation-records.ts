import type { EventBus } from '../base/events.ts'
import { isIdentifier, isObject } from '../base/options.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import { mergeRevocations, type Revocation } from '../jwks-cache/usable-keys.ts'
import { plainJson, type VerifiedPayload } from '../stores/integrity.ts'
import type { RevocationStore } from '../stores/snapshot-store.ts'
import { type Attempt, BACKGROUND_TIMEOUT, type StoreCircuit } from './store-circuit.ts'

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

/** Reads and writes revocations in a store of either kind. */
export interface RevocationRecords {
  /** True where the store keeps those of all providers together, and tells when they change. */
  readonly isGlobal: boolean
  /** True once all of them were loaded; where they are kept beside snapshots, each is loaded with its snapshot. */
  isLoaded(): boolean
  /** True where they may have changed since they were last loaded. */
  hasChanged(isRetry: boolean): Promise<boolean>
  /** Loads those of one provider, or of all; `undefined` where the store failed. */
  load(key: ProviderKey, isRetry: boolean): Promise<readonly StoredRevocation[] | undefined>
  /** Saves one record; where they are kept as a list, with all others of the provider. */
  save(key: ProviderKey, record: Revocation, all: readonly Revocation[], isRetry: boolean): Promise<Attempt<void>>
  /** Forces the next `hasChanged` to return true. */
  invalidate(): void
}

/** Names every provider: for events about the revocations of all. */
export const EVERY_PROVIDER: ProviderKey = Object.freeze({ tenant: '*', provider: '*' })

/** Records that are read at most; the rest is reported and left out. */
const MAX_RECORDS = 100_000

/** Refused records that are reported for each load. */
const MAX_REPORTED = 10

/** Those of a store that keeps revocations apart, or else a list of them beside each provider's snapshot. */
export function createRevocationRecords(circuit: StoreCircuit, events: EventBus<RegistryEvents>): RevocationRecords {
  const { revocations } = circuit.store
  return revocations === undefined
    ? listsBesideSnapshots(circuit, events)
    : separateRecords(revocations, circuit, events)
}

function separateRecords(
  store: RevocationStore,
  circuit: StoreCircuit,
  events: EventBus<RegistryEvents>,
): RevocationRecords {
  let revision = ''
  let loaded: string | undefined
  /**
   * A store that loses a record before the next poll, restored from a backup say, has the revision of what was loaded
   * again. So a save is a reason to load, too.
   */
  let saves = 0
  let savesWhenLoaded = 0

  /** Judges each record alone, before anything else of the store is believed. */
  function read(values: readonly unknown[]): readonly StoredRevocation[] {
    let reported = 0
    return values.slice(0, MAX_RECORDS).flatMap((value) => {
      const verified = circuit.signer.verify(plainJson(value))
      const stored = readRevocation(verified)
      if (stored !== undefined) return [stored]
      reported += 1
      if (reported <= MAX_REPORTED) {
        events.emit('snapshot-refused', { ...EVERY_PROVIDER, reason: verified.ok ? 'malformed' : verified.reason })
      }
      return []
    })
  }

  return {
    isGlobal: true,
    isLoaded: () => loaded !== undefined,
    async hasChanged(isRetry) {
      const work = async (): Promise<string> => {
        const value: unknown = await store.revision()
        if (typeof value !== 'string') throw new TypeError('revision() of the revocations must return a string')
        return value
      }
      const attempt = await circuit.attempt({ operation: 'load', key: EVERY_PROVIDER, work, isRetry })
      if (!attempt.ok) return false
      revision = attempt.value
      return revision !== loaded || saves !== savesWhenLoaded
    },
    async load(_key, isRetry) {
      // What changes while this reads has another revision, and is read the next time.
      const reading = revision
      const savesBefore = saves
      const work = async (): Promise<readonly unknown[]> => {
        const values: unknown = await store.load()
        if (!isList(values)) throw new TypeError('load() of the revocations must return an array')
        return values
      }
      const patience = BACKGROUND_TIMEOUT
      const attempt = await circuit.attempt({ operation: 'load', key: EVERY_PROVIDER, work, patience, isRetry })
      if (!attempt.ok) return undefined
      loaded = reading
      savesWhenLoaded = savesBefore
      return read(attempt.value)
    },
    async save(key, record, _all, isRetry) {
      const work = async (): Promise<void> => {
        await store.save(record.id, circuit.signer.sign(revocationPayload(key, record), null))
      }
      const attempt = await circuit.attempt({ operation: 'revoke', key, work, timeout: BACKGROUND_TIMEOUT, isRetry })
      saves += 1
      return attempt
    },
    invalidate() {
      loaded = undefined
    },
  }
}

/**
 * For a store with nothing but `load` and `save`. Of two processes that revoke at the same moment one may overwrite the
 * other's list; that one writes its own again when it next loads.
 */
function listsBesideSnapshots(circuit: StoreCircuit, events: EventBus<RegistryEvents>): RevocationRecords {
  const { store, signer } = circuit
  const lastSaves = new Map<string, Promise<unknown>>()
  const listKey = ({ tenant, provider }: ProviderKey): ProviderKey => ({ tenant, provider: `.revoked.${provider}` })

  async function read(key: ProviderKey): Promise<readonly StoredRevocation[]> {
    const value = plainJson(await store.load(listKey(key)))
    if (value === undefined) return []
    const verified = signer.verify(value)
    const records = readRevocationList(verified, key)
    if (records === undefined) {
      events.emit('snapshot-refused', { ...key, reason: verified.ok ? 'binding' : verified.reason })
    }
    return records ?? []
  }

  async function write(key: ProviderKey, all: readonly Revocation[]): Promise<void> {
    const merged = new Map((await read(key)).map(({ record }) => [record.id, record]))
    for (const record of all) merged.set(record.id, mergeRevocations(merged.get(record.id), record))
    await store.save(listKey(key), signer.sign(revocationListPayload(key, [...merged.values()]), null))
  }

  return {
    isGlobal: false,
    isLoaded: () => true,
    hasChanged: async () => true,
    async load(key, isRetry) {
      const work = async () => await read(key)
      const attempt = await circuit.attempt({ operation: 'load', key, work, patience: BACKGROUND_TIMEOUT, isRetry })
      return attempt.ok ? attempt.value : undefined
    },
    async save(key, _record, all, isRetry) {
      const work = async (): Promise<void> => await write(key, all)
      const call = { operation: 'revoke', key, work, timeout: BACKGROUND_TIMEOUT, isRetry } as const
      // One after the other: each reads what the one before has written.
      const name = providerName(key)
      const saved = (lastSaves.get(name) ?? Promise.resolve()).then(async () => await circuit.attempt(call))
      lastSaves.set(name, saved)
      const attempt = await saved
      if (lastSaves.get(name) === saved) lastSaves.delete(name)
      return attempt
    },
    invalidate: () => undefined,
  }
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

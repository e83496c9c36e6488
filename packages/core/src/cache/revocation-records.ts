import type { EventBus } from '../base/events.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import { plainJson } from '../stores/plain-json.ts'
import type { RevocationStore } from '../stores/snapshot-store.ts'
import type { RegistryEvents } from './cache-events.ts'
import { type Revocation, uniteRevocations } from './revocations.ts'
import {
  readRevocation,
  readRevocationList,
  revocationListPayload,
  revocationPayload,
  type StoredRevocation,
} from './sealed-revocations.ts'
import { type Attempt, BACKGROUND_TIMEOUT, type StoreAccess } from './store-access.ts'

/** Reads and writes revocations in a store of either kind. */
export interface RevocationRecords {
  /** True where the store keeps those of all providers together, and tells when they change. */
  readonly isGlobal: boolean
  /** True once all of them were loaded; where they are kept beside snapshots, each is loaded with its snapshot. */
  isLoaded(): boolean
  /** True where they may have changed since they were last loaded. */
  hasChanged(isRetry: boolean): Promise<boolean>
  /** Those of one provider, or of all; `undefined` where they cannot be had. */
  load(key: ProviderKey, isRetry: boolean): Promise<readonly StoredRevocation[] | undefined>
  /** Writes what was changed; where they are kept as a list, all. */
  save(
    key: ProviderKey,
    changed: readonly Revocation[],
    all: readonly Revocation[],
    options?: { readonly isRetry: boolean },
  ): Promise<Attempt<void>>
  /** Has `hasChanged` say yes. */
  forget(): void
}

/** Names no provider: for events about the revocations of all. */
export const EVERY_PROVIDER: ProviderKey = Object.freeze({ tenant: '*', provider: '*' })

/** Those of a store that keeps revocations apart, or else a list of them beside each provider's snapshot. */
export function createRevocationRecords(access: StoreAccess, events: EventBus<RegistryEvents>): RevocationRecords {
  const { revocations } = access.store
  return revocations === undefined ? listsBesideSnapshots(access, events) : recordsOf(revocations, access, events)
}

function recordsOf(store: RevocationStore, access: StoreAccess, events: EventBus<RegistryEvents>): RevocationRecords {
  let revision = ''
  let loaded: string | undefined
  const probe = (): Promise<unknown> => store.revision()

  function read(value: unknown): readonly StoredRevocation[] {
    const opened = access.seal.open(value)
    const stored = readRevocation(opened)
    if (stored !== undefined) return [stored]
    events.emit('snapshot-refused', { ...EVERY_PROVIDER, reason: opened.ok ? 'malformed' : opened.reason })
    return []
  }

  return {
    isGlobal: true,
    isLoaded: () => loaded !== undefined,
    async hasChanged(isRetry) {
      const work = async (): Promise<string> => await store.revision()
      const attempt = await access.attempt({ operation: 'load', key: EVERY_PROVIDER, work, isRetry, probe })
      if (!attempt.ok) return false
      revision = attempt.value
      return revision !== loaded
    },
    async load(_key, isRetry) {
      // What changes while this reads has another revision, and is read the next time.
      const reading = revision
      const work = async (): Promise<readonly unknown[]> => {
        const records = plainJson(await store.load())
        if (!isList(records)) throw new TypeError('its revocations are no list')
        return records
      }
      const call = {
        operation: 'load',
        key: EVERY_PROVIDER,
        work,
        patience: BACKGROUND_TIMEOUT,
        isRetry,
        probe,
      } as const
      const attempt = await access.attempt(call)
      if (!attempt.ok) return undefined
      loaded = reading
      return attempt.value.flatMap(read)
    },
    async save(key, changed, _all, { isRetry } = { isRetry: false }) {
      const work = async (): Promise<void> => {
        for (const record of changed)
          await store.save(record.id, access.seal.seal(revocationPayload(key, record), null))
      }
      return await access.attempt({ operation: 'revoke', key, work, timeout: BACKGROUND_TIMEOUT, isRetry, probe })
    },
    forget() {
      loaded = undefined
    },
  }
}

/**
 * For a store with nothing but `load` and `save`. Of two processes that revoke at the same moment one may overwrite the
 * other's list; that one writes its own again when it next loads.
 */
function listsBesideSnapshots(access: StoreAccess, events: EventBus<RegistryEvents>): RevocationRecords {
  const { store, seal } = access
  let lastSave: Promise<unknown> = Promise.resolve()
  const listKey = ({ tenant, provider }: ProviderKey): ProviderKey => ({ tenant, provider: `.revoked.${provider}` })

  async function read(key: ProviderKey): Promise<readonly StoredRevocation[]> {
    const value = plainJson(await store.load(listKey(key)))
    if (value === undefined) return []
    const opened = seal.open(value)
    const records = readRevocationList(opened, key)
    if (records === undefined) {
      events.emit('snapshot-refused', { ...key, reason: opened.ok ? 'binding' : opened.reason })
    }
    return records ?? []
  }

  async function write(key: ProviderKey, all: readonly Revocation[]): Promise<void> {
    const united = new Map((await read(key)).map(({ record }) => [record.id, record]))
    for (const record of all) united.set(record.id, uniteRevocations(united.get(record.id), record))
    await store.save(listKey(key), seal.seal(revocationListPayload(key, [...united.values()]), null))
  }

  return {
    isGlobal: false,
    isLoaded: () => true,
    hasChanged: async () => true,
    async load(key, isRetry) {
      const work = async () => await read(key)
      const attempt = await access.attempt({ operation: 'load', key, work, patience: BACKGROUND_TIMEOUT, isRetry })
      return attempt.ok ? attempt.value : undefined
    },
    async save(key, _changed, all, { isRetry } = { isRetry: false }) {
      const work = async (): Promise<void> => await write(key, all)
      const call = { operation: 'revoke', key, work, timeout: BACKGROUND_TIMEOUT, isRetry } as const
      // One after the other: each reads what the one before has written.
      const saved = lastSave.then(async () => await access.attempt(call))
      lastSave = saved
      return await saved
    },
    forget: () => undefined,
  }
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

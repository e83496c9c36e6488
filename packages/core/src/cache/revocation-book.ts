import { type Clock, schedule } from '../base/clock.ts'
import type { EventBus } from '../base/events.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { RegistryEvents } from './cache-events.ts'
import { createRevocationRecords, EVERY_PROVIDER, type RevocationRecords } from './revocation-records.ts'
import { createRevocations, type Revocation, type Revocations } from './revocations.ts'
import type { StoreAccess } from './store-access.ts'

/** The revocations of all providers of a registry, united with those that its store has. */
export interface RevocationBook {
  /** The revocations of one provider. */
  of(key: ProviderKey): Revocations
  /** Unites with what the store has of this provider; false where that could not be had. */
  load(key: ProviderKey, options?: { readonly isRetry: boolean }): Promise<boolean>
  /**
   * Writes records down that were changed here.
   *
   * @throws StoreFailedError where that failed; it is tried again until it succeeds
   */
  persist(key: ProviderKey, records: readonly Revocation[]): Promise<void>
  /** Unites with what the store has, if that has changed. */
  refresh(): Promise<void>
}

/** Milliseconds between two looks at whether another process has revoked a key: well within five seconds. */
const POLL_INTERVAL = 2_000

/**
 * No revocations, to begin with.
 *
 * @param onRevoked called when a provider's revocations were changed by another process
 */
export function createRevocationBook(
  access: StoreAccess | undefined,
  context: { readonly clock: Clock; readonly events: EventBus<RegistryEvents>; readonly closed: AbortSignal },
  onRevoked: (key: ProviderKey) => void,
): RevocationBook {
  const { clock, events, closed } = context
  const byProvider = new Map<string, Revocations>()
  const records = access === undefined ? undefined : createRevocationRecords(access, events)
  const resealed = new Set<string>()
  let isPolling = false
  let refreshing: Promise<void> | undefined

  function of(key: ProviderKey): Revocations {
    const name = providerName(key)
    const learned = (record: Revocation): void => {
      if (records !== undefined) void write(key, [record], records)
    }
    const known = byProvider.get(name) ?? createRevocations(learned)
    byProvider.set(name, known)
    return known
  }

  function unite(key: ProviderKey, record: Revocation): void {
    const revocations = of(key)
    const before = revocations.has(record.kid)
    if (!revocations.unite(record)) return
    const after = revocations.has(record.kid)
    if (before !== after) events.emit(after ? 'key-revoked' : 'key-unrevoked', { ...key, kid: record.kid })
    onRevoked(key)
  }

  /** Both ways: what the store lacks, because it was emptied or a write was lost, is written again. */
  async function exchange(about: ProviderKey, store: RevocationRecords, isRetry: boolean): Promise<boolean> {
    const stored = await store.load(about, isRetry)
    if (stored === undefined) return false
    const known = new Map<string, Revocation>()
    for (const { key, record, isCurrent } of stored) {
      // What an old `integrityKey` signed is written anew, or it would be lost with that key; once, since the fleet may
      // not agree yet on which is old.
      if (isCurrent || resealed.has(record.id)) known.set(record.id, record)
      else resealed.add(record.id)
      unite(key, record)
    }
    const keys = store.isGlobal ? [...byProvider.keys()].map(providerKey) : [about]
    for (const key of keys) {
      const lacking = of(key)
        .records()
        .filter((record) => !isSame(known.get(record.id), record))
      if (lacking.length > 0) await write(key, lacking, store)
    }
    return true
  }

  async function write(key: ProviderKey, changed: readonly Revocation[], store: RevocationRecords) {
    const result = await store.save(key, changed, of(key).records())
    if (!result.ok) {
      const isRetry = true
      access?.retryLater(
        of(key),
        async () => (await store.save(key, of(key).records(), of(key).records(), { isRetry })).ok,
      )
    }
    return result
  }

  async function refreshNow(store: RevocationRecords, isRetry: boolean): Promise<void> {
    if (await store.hasChanged(isRetry)) await exchange(EVERY_PROVIDER, store, isRetry)
  }

  function poll(store: RevocationRecords): void {
    if (isPolling || !store.isGlobal) return
    isPolling = true
    const again = (): void => {
      if (closed.aborted) return
      const cancel = schedule(clock, POLL_INTERVAL, () => {
        closed.removeEventListener('abort', cancel)
        void refresh().finally(again)
      })
      closed.addEventListener('abort', cancel, { once: true })
    }
    again()
  }

  async function refresh(isRetry = false): Promise<void> {
    if (records === undefined || !records.isGlobal || (access?.isFailing() === true && !isRetry)) return
    refreshing ??= refreshNow(records, isRetry).finally(() => {
      refreshing = undefined
    })
    await refreshing
  }

  access?.onRecovered(() => {
    records?.forget()
    void refresh()
  })

  return {
    of,
    async load(key, { isRetry } = { isRetry: false }) {
      if (records === undefined) return true
      poll(records)
      if (!records.isGlobal) return await exchange(key, records, isRetry)
      if (!records.isLoaded()) await refresh(isRetry)
      return records.isLoaded()
    },
    async persist(key, changed) {
      if (records === undefined || changed.length === 0) return
      const result = await write(key, changed, records)
      if (!result.ok) throw result.error
    },
    refresh: () => refresh(),
  }
}

function providerKey(name: string): ProviderKey {
  const [tenant = '', provider = ''] = name.split('\n')
  return { tenant, provider }
}

function isSame(stored: Revocation | undefined, own: Revocation): boolean {
  if (stored === undefined) return false
  // What is lifted has no use for more thumbprints.
  return (
    stored.isLifted === own.isLifted && (own.isLifted || own.thumbprints.every((it) => stored.thumbprints.includes(it)))
  )
}

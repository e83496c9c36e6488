import { randomBytes } from 'node:crypto'
import { type Clock, schedule, sleep } from '../base/clock.ts'
import type { EventBus } from '../base/events.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { Random } from '../jwks-cache/retry.ts'
import { createRevocations, type Revocation, type Revocations } from '../jwks-cache/usable-keys.ts'
import { createRevocationRecords, EVERY_PROVIDER, type RevocationRecords } from './revocation-records.ts'
import type { StoreCircuit } from './store-circuit.ts'

/** The revocations of all providers of a registry, united with those of its store. */
export interface RevocationLog {
  /** The revocations of one provider. */
  of(key: ProviderKey): Revocations
  /** Drops what is kept for a provider that leaves memory, if none of its keys was ever revoked. */
  release(key: ProviderKey): void
  /** Unites with what the store has of this provider; false where that could not be read. Never rejects. */
  load(key: ProviderKey, isRetry?: boolean): Promise<boolean>
  /**
   * Saves records that were changed here.
   *
   * @throws StoreFailedError where one of them could not be saved; it is tried again until it succeeds
   */
  persist(key: ProviderKey, records: readonly Revocation[]): Promise<void>
  /** Saves records in the background. */
  persistInBackground(key: ProviderKey, records: readonly Revocation[]): void
  /** Unites with what the store has, if that has changed. Never rejects. */
  refresh(): Promise<void>
  /** Polls more often while no notices arrive. */
  pollFaster(isFaster: boolean): void
}

/** Milliseconds between two checks whether another process has revoked a key: well within five seconds. */
const POLL_INTERVAL = 2_000

/** The same while no notices arrive. */
const FAST_POLL_INTERVAL = 1_000

/**
 * Milliseconds within which each process picks a random moment to write back what the store has lost, so that most of
 * them find the work done.
 */
const WRITE_BACK_WITHIN = 1_000

/** Milliseconds for which the process that writes back keeps the others from it. */
const WRITE_BACK_LEASE = 3_000

/** What the log works with. */
export interface RevocationLogContext {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventBus<RegistryEvents>
  readonly closed: AbortSignal
}

/**
 * Creates a log without revocations.
 *
 * @param onChanged called after the revocations of a provider have changed
 */
export function createRevocationLog(
  circuit: StoreCircuit | undefined,
  { clock, random, events, closed }: RevocationLogContext,
  onChanged: (key: ProviderKey) => void,
): RevocationLog {
  const byProvider = new Map<string, { readonly key: ProviderKey; readonly revocations: Revocations }>()
  const records = circuit === undefined ? undefined : createRevocationRecords(circuit, events)
  /** Records that are not saved yet, by id. */
  const unsaved = new Map<string, { readonly key: ProviderKey; readonly record: Revocation }>()
  /** Those of them whose save is in flight. */
  const saving = new Set<Revocation>()
  const resigned = new Set<string>()
  let pollInterval = POLL_INTERVAL
  let isPolling = false
  let isWritingBack = false
  let refreshing: Promise<void> | undefined
  let savingUnsaved: Promise<boolean> | undefined

  function of(key: ProviderKey): Revocations {
    const name = providerName(key)
    const known = byProvider.get(name) ?? { key: { ...key }, revocations: createRevocations() }
    byProvider.set(name, known)
    return known.revocations
  }

  function merge(key: ProviderKey, record: Revocation): void {
    const revocations = of(key)
    const before = revocations.has(record.kid)
    if (!revocations.merge(record)) return
    const after = revocations.has(record.kid)
    onChanged(key)
    if (before !== after) events.emit(after ? 'key-revoked' : 'key-unrevoked', { ...key, kid: record.kid })
  }

  /** Takes over what the store has; returns what it lacks of ours. `undefined` where it could not be read. */
  async function readStore(about: ProviderKey, store: RevocationRecords, isRetry: boolean) {
    const stored = await store.load(about, isRetry)
    if (stored === undefined) return undefined
    const known = new Map<string, Revocation>()
    for (const { key, record, isCurrent } of stored) {
      known.set(record.id, record)
      merge(key, record)
      if (isCurrent || resigned.has(record.id)) continue
      // What an old `integrityKey` has signed is saved again, or it would be lost with that key; once, since the fleet
      // may not agree yet on which is old.
      resigned.add(record.id)
      persistInBackground(key, [record])
    }
    const owners = store.isGlobal ? [...byProvider.values()] : [{ key: about, revocations: of(about) }]
    return owners.flatMap(({ key, revocations }) =>
      revocations
        .records()
        .filter((record) => !unsaved.has(record.id) && !saysAsMuch(known.get(record.id), record))
        .map((record) => ({ key, record })),
    )
  }

  async function exchange(about: ProviderKey, store: RevocationRecords, isRetry: boolean): Promise<boolean> {
    const lacking = await readStore(about, store, isRetry)
    if (lacking === undefined) return false
    if (store.isGlobal) {
      if (lacking.length > 0) writeBackInBackground(about, store)
      return true
    }
    // There are no notices about such a list, so there is no other process to wait for.
    for (const { key, record } of lacking) await save(key, record, store, isRetry)
    return true
  }

  /** Writes what the store has lost: one process for all, once. */
  function writeBackInBackground(about: ProviderKey, store: RevocationRecords): void {
    if (isWritingBack) return
    isWritingBack = true
    const run = async (): Promise<void> => {
      for (;;) {
        await sleep(clock, random() * WRITE_BACK_WITHIN, closed)
        const lacking = await readStore(about, store, false)
        const first = lacking?.toSorted((a, b) => (a.record.id < b.record.id ? -1 : 1))[0]
        if (lacking === undefined || first === undefined) return
        const release = await takeWriteBackLease(first.key)
        if (release === 'other') continue
        try {
          for (const { key, record } of lacking) if (!(await save(key, record, store, false)).ok) return
        } finally {
          release()
        }
        return
      }
    }
    run()
      .catch(() => undefined)
      .finally(() => {
        isWritingBack = false
      })
  }

  async function takeWriteBackLease({ tenant, provider }: ProviderKey): Promise<(() => void) | 'other'> {
    const coordination = circuit?.store.coordination
    if (circuit === undefined || coordination === undefined) return () => undefined
    const key = { tenant, provider: `.revoked.${provider}` }
    const leaseId = randomBytes(16).toString('hex')
    const call = { operation: 'coordinate', key } as const
    const work = async () => await coordination.acquire(key, leaseId, WRITE_BACK_LEASE)
    const attempt = await circuit.attempt({ ...call, work })
    if (attempt.ok && attempt.value?.holder === 'other') return 'other'
    return () => {
      circuit.attempt({ ...call, work: async () => await coordination.release(key, leaseId) }).catch(() => undefined)
    }
  }

  async function save(key: ProviderKey, record: Revocation, store: RevocationRecords, isRetry: boolean) {
    unsaved.set(record.id, { key, record })
    saving.add(record)
    const attempt = await store.save(key, record, of(key).records(), isRetry)
    saving.delete(record)
    if (attempt.ok && unsaved.get(record.id)?.record === record) unsaved.delete(record.id)
    if (!attempt.ok) circuit?.retryLater(unsaved, 'revoke', async () => await saveUnsaved(store))
    return attempt
  }

  /**
   * Saves each record alone: one that fails does not stop the others. One run at a time, since a record that is saved
   * reports the store as recovered, which starts the next run.
   */
  function saveUnsaved(store: RevocationRecords): Promise<boolean> {
    savingUnsaved ??= saveEachUnsaved(store).finally(() => {
      savingUnsaved = undefined
    })
    return savingUnsaved
  }

  async function saveEachUnsaved(store: RevocationRecords): Promise<boolean> {
    for (const { key, record } of [...unsaved.values()]) {
      if (closed.aborted) break
      const isWaiting = unsaved.get(record.id)?.record === record && !saving.has(record)
      if (isWaiting) await save(key, record, store, true)
    }
    return unsaved.size === 0
  }

  async function refreshNow(store: RevocationRecords, isRetry: boolean): Promise<void> {
    if (await store.hasChanged(isRetry)) await exchange(EVERY_PROVIDER, store, isRetry)
  }

  function poll(store: RevocationRecords): void {
    if (isPolling || !store.isGlobal) return
    isPolling = true
    const again = (): void => {
      if (closed.aborted) return
      const cancel = schedule(clock, pollInterval, () => {
        closed.removeEventListener('abort', cancel)
        refresh().then(again, again)
      })
      closed.addEventListener('abort', cancel, { once: true })
    }
    again()
  }

  async function refresh(isRetry = false): Promise<void> {
    if (records?.isGlobal !== true) return
    refreshing ??= refreshNow(records, isRetry).finally(() => {
      refreshing = undefined
    })
    await refreshing
  }

  async function persist(key: ProviderKey, changed: readonly Revocation[]): Promise<void> {
    if (records === undefined) return
    const store = records
    // Whoever revokes a key wants it saved: it is tried also where another save has just failed.
    const results = await Promise.all(changed.map((record) => save(key, record, store, true)))
    const failure = results.find(({ ok }) => !ok)
    if (failure?.ok === false) throw failure.error
  }

  /** Cannot reject: what fails is reported and tried again. */
  function persistInBackground(key: ProviderKey, changed: readonly Revocation[]): void {
    persist(key, changed).catch(() => undefined)
  }

  circuit?.onRecovered((side) => {
    if (side !== 'reading') return
    records?.invalidate()
    refresh().catch(() => undefined)
  })

  return {
    of,
    release(key) {
      const name = providerName(key)
      if (byProvider.get(name)?.revocations.records().length === 0) byProvider.delete(name)
    },
    async load(key, isRetry = false) {
      if (records === undefined) return true
      poll(records)
      if (!records.isGlobal) return await exchange(key, records, isRetry)
      if (!records.isLoaded()) await refresh(isRetry)
      return records.isLoaded()
    },
    persist,
    persistInBackground,
    refresh: () => refresh(),
    pollFaster(isFaster) {
      pollInterval = isFaster ? FAST_POLL_INTERVAL : POLL_INTERVAL
    },
  }
}

function saysAsMuch(stored: Revocation | undefined, own: Revocation): boolean {
  if (stored === undefined || stored.isLifted !== own.isLifted) return false
  // A lifted record needs no thumbprints.
  return own.isLifted || own.thumbprints.every((thumbprint) => stored.thumbprints.includes(thumbprint))
}

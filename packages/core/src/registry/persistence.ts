import { type Clock, settledWithin, systemClock } from '../base/clock.ts'
import { StoreFailedError } from '../base/errors/store-errors.ts'
import type { EventBus } from '../base/events.ts'
import { type ProviderKey, providerName } from '../base/provider-key.ts'
import type { RegistryEvents } from '../cache/cache-events.ts'
import { createFetchLimit } from '../cache/fetch-limit.ts'
import type { LoadResult } from '../cache/provider-snapshots.ts'
import { createRevocationBook, type RevocationBook } from '../cache/revocation-book.ts'
import { BACKGROUND_TIMEOUT, createStoreAccess, type StoreAccess } from '../cache/store-access.ts'
import { createSeal } from '../stores/integrity.ts'
import type { FleetNotice } from '../stores/snapshot-store.ts'
import type { RegisteredProvider } from './registered-provider.ts'
import type { CheckedRegistryOptions } from './registry-options.ts'
import type { ProviderStatus } from './status.ts'

/** What came of `restore()`: every registered provider is in one of the lists. */
export interface RestoreReport {
  /** Keys were taken over from the store. */
  readonly restored: readonly ProviderKey[]
  /** What is held is as new as what the store has. */
  readonly unchanged: readonly ProviderKey[]
  /** The store has nothing. */
  readonly absent: readonly ProviderKey[]
  /** What the store has is not believed; an event `snapshot-refused` says why. */
  readonly refused: readonly ProviderKey[]
  /** The store failed, or was too slow. */
  readonly failed: readonly ProviderKey[]
}

/** A registry's dealings with its store. */
export interface Persistence {
  /** Absent where there is no store. */
  readonly access: StoreAccess | undefined
  readonly revocations: RevocationBook
  /** Loads what the store has of a provider, some providers at a time; settles after `storeTimeout` at the latest. */
  load(registered: RegisteredProvider): Promise<void>
  /** Writes everything that is held. */
  persistAll(): Promise<void>
  /** Loads every registration again. */
  restore(): Promise<RestoreReport>
  /** For the status. */
  state(): ProviderStatus['store']
  /** Writes what is not yet written, for a second at most, and lets go of the store. */
  close(): Promise<void>
}

/** Snapshots that are loaded or saved at the same time. */
const MAX_CONCURRENT = 32

/** Milliseconds for which `close()` waits for what is being written. */
const LAST_SAVES = 1_000

const UNAUTHENTICATED =
  'There is no integrityKey: whoever can write to the store can make this process trust any key. ' +
  'Give integrityKey a secret of at least 32 bytes, or make sure that nobody else can write there.'

/** A registry's dealings with the store of its options. */
export function createPersistence(
  { store, storeTimeout, integrityKeys }: CheckedRegistryOptions,
  context: { readonly clock: Clock; readonly events: EventBus<RegistryEvents>; readonly closed: AbortSignal },
  providers: ReadonlyMap<string, RegisteredProvider>,
): Persistence {
  const { clock, events, closed } = context
  const access = store && createStoreAccess({ store, seal: createSeal(integrityKeys), timeout: storeTimeout }, context)
  const limit = createFetchLimit(MAX_CONCURRENT)
  const revocations = createRevocationBook(access, context, (key) => {
    void providers.get(providerName(key))?.usedCache?.holdings.applyRevocations()
  })
  const unsubscribe = subscribe()
  let hasWarned = false

  function subscribe(): () => void {
    const none = (): void => undefined
    try {
      return store?.coordination?.subscribe(noticed) ?? none
    } catch {
      // Without messages, what others change is found by asking.
      return none
    }
  }

  function noticed(notice: FleetNotice): void {
    if (closed.aborted) return
    if (notice.kind === 'snapshot') {
      providers.get(providerName(notice.key))?.usedCache?.noticed()
      return
    }
    if (notice.kind === 'interrupted') return
    void revocations.refresh()
    if (notice.kind === 'resumed') loadHeld()
  }

  async function warn(key: ProviderKey): Promise<void> {
    if (access === undefined || hasWarned) return
    hasWarned = true
    const messages = integrityKeys.length === 0 ? [UNAUTHENTICATED] : []
    const work = async (): Promise<readonly string[]> => [...((await access.store.warnings?.()) ?? [])]
    const attempt = await access.attempt({ operation: 'load', key, work, timeout: BACKGROUND_TIMEOUT })
    for (const message of [...messages, ...(attempt.ok ? attempt.value : [])]) {
      events.emit('store-warning', { ...key, message })
    }
  }

  async function loadNow(registered: RegisteredProvider): Promise<LoadResult> {
    return await limit.run(registered.key.tenant, closed, async () => {
      const result = (await registered.cache.snapshots?.load()) ?? 'absent'
      if (result === 'absent') registered.dropUnused()
      return result
    })
  }

  /** Those whose keys are in memory, and what remains of forgotten immutable ones. */
  function heldCaches() {
    return [...providers.values()].flatMap(({ usedCache }) => (usedCache?.holdings.record() ? [usedCache] : []))
  }

  /** Takes over what others have saved, and writes again what the store has lost. */
  function loadHeld(): void {
    void Promise.allSettled(
      heldCaches().map(async ({ key, snapshots }) => {
        await limit.run(key.tenant, closed, async () => await snapshots?.reload())
      }),
    )
  }

  access?.onRecovered(loadHeld)

  return {
    access,
    revocations,
    async load(registered) {
      if (access === undefined) return
      void warn(registered.key)
      const loading = loadNow(registered).catch(() => 'failed' as const)
      await settledWithin(clock, storeTimeout, loading)
    },
    async persistAll() {
      const results = await Promise.allSettled(
        heldCaches().map(async ({ key, snapshots }) => {
          return await limit.run(key.tenant, closed, async () => {
            // What another process has written since is newer than what an idle one holds.
            await snapshots?.load()
            snapshots?.saveSoon()
            return (await snapshots?.saved()) ?? true
          })
        }),
      )
      const failures = results.filter((result) => result.status === 'rejected' || !result.value)
      if (failures.length === 0) return
      throw new StoreFailedError(`${failures.length} of ${results.length} snapshots could not be saved`)
    },
    async restore() {
      const report: Record<keyof RestoreReport, ProviderKey[]> = {
        restored: [],
        unchanged: [],
        absent: [],
        refused: [],
        failed: [],
      }
      await Promise.all(
        [...providers.values()].map(async (registered) => {
          const result = await loadNow(registered).catch(() => 'failed' as const)
          report[REPORTED[result]].push(registered.key)
        }),
      )
      return report
    },
    state: () => (access === undefined ? 'none' : access.isFailing() ? 'failing' : 'ready'),
    async close() {
      unsubscribe()
      const saves = heldCaches().map(async ({ snapshots }) => await snapshots?.saved({ isRetry: true }))
      // By the machine's clock, for a registry whose own stands still is to be closed, too.
      await settledWithin(systemClock, LAST_SAVES, Promise.all(saves))
    },
  }
}

const REPORTED: Readonly<Record<LoadResult, keyof RestoreReport>> = {
  loaded: 'restored',
  kept: 'unchanged',
  absent: 'absent',
  refused: 'refused',
  failed: 'failed',
}

import { type Clock, keepAlive, settledWithin, systemClock } from '../base/clock.ts'
import { StoreFailedError } from '../base/errors/jwks-auth-error.ts'
import type { EventBus } from '../base/events.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { CacheBackend } from '../jwks-cache/cache-backend.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { CacheOptions } from '../jwks-cache/cache-options.ts'
import { createFetchLimit } from '../jwks-cache/fetch-limit.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { Random } from '../jwks-cache/retry.ts'
import { createSnapshotSigner } from '../stores/integrity.ts'
import type { FleetNotice, SnapshotStore } from '../stores/snapshot-store.ts'
import { createFetchLease, type FetchLease } from './fetch-lease.ts'
import { createProviderSnapshots, type LoadResult, type ProviderSnapshots } from './provider-snapshots.ts'
import { createRevocationLog, type RevocationLog } from './revocation-log.ts'
import { EVERY_PROVIDER } from './revocation-records.ts'
import type { SnapshotRules } from './snapshot.ts'
import { BACKGROUND_TIMEOUT, createStoreCircuit, type StoreSide, storeError } from './store-circuit.ts'

/** The result of `restore()`: every registered provider is in one of the lists. */
export interface RestoreReport {
  /** Keys were taken over from the store. */
  readonly restored: readonly ProviderKey[]
  /** The cached keys are as new as those of the store. */
  readonly unchanged: readonly ProviderKey[]
  /** The store has nothing. */
  readonly absent: readonly ProviderKey[]
  /** The store's snapshot is refused; an event `snapshot-refused` says why. */
  readonly refused: readonly ProviderKey[]
  /** The store failed, or was too slow. */
  readonly failed: readonly ProviderKey[]
}

/** What persistence needs of a registry. */
export interface PersistenceContext {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventBus<RegistryEvents>
  readonly closed: AbortSignal
  readonly runDetached: <Value>(work: () => Value) => Value
  /** The cache of a provider, if it is in use. */
  cacheOf(key: ProviderKey): ProviderCache | undefined
}

/** What a registry does with its store. */
export interface Persistence {
  /** Connects a cache to the store; absent where there is none. */
  readonly connect: ((cache: ProviderCache, options: CacheOptions, rules: SnapshotRules) => CacheBackend) | undefined
  readonly revocations: RevocationLog
  /** Loads a provider's snapshot, some providers at a time. Never rejects. */
  load(cache: ProviderCache): Promise<LoadResult>
  /** As {@link load}; resolves after `storeTimeout` at the latest. */
  loadInTime(cache: ProviderCache): Promise<LoadResult | undefined>
  /** Resolves when the provider's snapshot is saved; false where that failed. */
  saved(cache: ProviderCache): Promise<boolean>
  /** Removes a provider's snapshot. */
  delete(cache: ProviderCache): Promise<void>
  /** Ends the connection of a cache that leaves memory, once what it has to save is saved. */
  disconnectInBackground(cache: ProviderCache): void
  /** Saves the keys of all caches. */
  persistAll(caches: readonly ProviderCache[]): Promise<void>
  /** The sides of the store that fail at the moment; `undefined` without a store. */
  failingSides(): readonly StoreSide[] | undefined
  /** Saves what is not saved yet, for a second at most, and unsubscribes from the store. */
  close(caches: readonly ProviderCache[]): Promise<void>
}

/** The options that persistence depends on. */
export interface PersistenceOptions {
  readonly store: SnapshotStore | undefined
  readonly storeTimeout: number
  /** Empty where nothing is authenticated. */
  readonly integrityKeys: readonly string[]
}

/** Snapshots that are loaded or saved at the same time. */
const MAX_CONCURRENT = 32

/** Milliseconds for which `close()` waits for what is being saved. */
const LAST_SAVES = 1_000

const UNAUTHENTICATED =
  'There is no integrityKey: whoever can write to the store can make this process trust any key. ' +
  'Set integrityKey to a secret of at least 32 bytes, or make sure that no other user can write there.'

/** One cache's part of the store. */
interface Connection {
  readonly snapshots: ProviderSnapshots
  readonly lease: FetchLease
}

/** Creates what a registry does with the store of its options. */
export function createPersistence(
  { store, storeTimeout, integrityKeys }: PersistenceOptions,
  context: PersistenceContext,
): Persistence {
  const { clock, events, closed, cacheOf } = context
  const circuit =
    store && createStoreCircuit({ store, signer: createSnapshotSigner(integrityKeys), timeout: storeTimeout }, context)
  const limit = createFetchLimit(MAX_CONCURRENT, clock)
  const revocations = createRevocationLog(circuit, context, (key) => cacheOf(key)?.revocationsChanged())
  const connections = new Map<ProviderCache, Connection>()
  let hasWarned = false
  let isInterrupted = false
  const unsubscribe = subscribe()

  /** A store may be the application's: it may throw, reject, or return nothing to call. */
  function subscribe(): () => void {
    let stop: unknown
    try {
      stop = store?.coordination?.subscribe(noticed)
      Promise.resolve(stop).catch(reportInterruption)
    } catch (cause) {
      // Without notices, changes are found by polling.
      reportInterruption(cause)
    }
    return () => {
      try {
        if (isFunction(stop)) stop()
      } catch {
        // There is nothing left to stop.
      }
    }
  }

  function reportInterruption(cause: unknown): void {
    if (isInterrupted || closed.aborted) return
    isInterrupted = true
    revocations.pollFaster(true)
    const call = { operation: 'subscribe', key: EVERY_PROVIDER } as const
    const error = storeError(call, 'its notices do not arrive; changes are found by polling', { cause })
    events.emit('store-failed', { ...EVERY_PROVIDER, operation: 'subscribe', error })
  }

  function noticed(notice: FleetNotice): void {
    if (closed.aborted) return
    if (notice.kind === 'interrupted') {
      reportInterruption(notice.cause)
      return
    }
    if (notice.kind === 'snapshot') {
      const cache = cacheOf(notice.key)
      if (cache !== undefined) reloadInBackground(cache)
      return
    }
    if (notice.kind === 'resumed' && isInterrupted) {
      isInterrupted = false
      revocations.pollFaster(false)
      events.emit('store-recovered', { ...EVERY_PROVIDER, operation: 'subscribe' })
    }
    revocations.refresh().catch(() => undefined)
    if (notice.kind === 'resumed') reloadAllInBackground()
  }

  /** Takes over what another process has saved, where this one has keys of the provider; cannot reject. */
  function reloadInBackground(cache: ProviderCache): void {
    const connection = connections.get(cache)
    if (connection === undefined) return
    const { snapshots, lease } = connection
    const loading = cache.state.cached === undefined ? Promise.resolve() : snapshots.reload()
    loading.then(
      () => lease.noticed(),
      () => undefined,
    )
  }

  function reloadAllInBackground(): void {
    for (const [cache, { snapshots }] of connections) {
      if (cache.state.cached === undefined || cache.lifecycle !== 'active') continue
      limit.run(cache.key.tenant, closed, async () => await snapshots.reload()).catch(() => undefined)
    }
  }

  function warnInBackground(key: ProviderKey): void {
    if (circuit === undefined || hasWarned) return
    hasWarned = true
    const work = async (): Promise<readonly string[]> => {
      const warnings: unknown = await circuit.store.warnings?.()
      return Array.isArray(warnings) ? warnings.filter((it): it is string => typeof it === 'string') : []
    }
    const warn = async (): Promise<void> => {
      const attempt = await circuit.attempt({ operation: 'load', key, work, timeout: BACKGROUND_TIMEOUT })
      const messages = integrityKeys.length === 0 ? [UNAUTHENTICATED] : []
      for (const message of [...messages, ...(attempt.ok ? attempt.value : [])]) {
        events.emit('store-warning', { ...key, message })
      }
    }
    warn().catch(() => undefined)
  }

  async function load(cache: ProviderCache): Promise<LoadResult> {
    const snapshots = connections.get(cache)?.snapshots
    if (snapshots === undefined) return 'absent'
    try {
      return await limit.run(cache.key.tenant, closed, async () => await snapshots.load())
    } catch {
      return 'failed'
    }
  }

  circuit?.onRecovered((side) => {
    if (side !== 'coordinating') reloadAllInBackground()
  })

  const connect: Persistence['connect'] =
    circuit &&
    ((cache, options, rules) => {
      const snapshots = createProviderSnapshots(cache.key, options, rules, cache, { ...context, circuit, revocations })
      const lease = createFetchLease(cache.key, options, snapshots, circuit, context)
      connections.set(cache, { snapshots, lease })
      return {
        plan: async (plan) => await lease.plan(plan),
        pendingLoad: () => snapshots.pendingLoad(),
        changed: () => snapshots.saveInBackground(),
        completed: (records) => revocations.persistInBackground(cache.key, records),
        returnRefetch: () => lease.returnRefetch(),
        pendingSave: () => snapshots.pendingSave(),
      }
    })

  return {
    connect,
    revocations,
    load,
    async loadInTime(cache) {
      warnInBackground(cache.key)
      return await keepAlive(settledWithin(clock, storeTimeout, load(cache)))
    },
    async saved(cache) {
      return (await connections.get(cache)?.snapshots.saved()) ?? true
    },
    async delete(cache) {
      await connections.get(cache)?.snapshots.delete()
      connections.delete(cache)
    },
    disconnectInBackground(cache) {
      const end = (): boolean => connections.delete(cache)
      connections.get(cache)?.snapshots.saved().then(end, end)
    },
    async persistAll(caches) {
      if (circuit === undefined) return
      const results = await Promise.allSettled(
        caches.map(async (cache) => {
          const snapshots = connections.get(cache)?.snapshots
          if (snapshots === undefined || cache.state.cached === undefined) return true
          return await limit.run(cache.key.tenant, closed, async () => {
            // What another process has saved since is newer than what an idle one has cached.
            await snapshots.load()
            snapshots.saveInBackground()
            return await snapshots.saved()
          })
        }),
      )
      const failures = results.filter((result) => result.status === 'rejected' || !result.value)
      if (failures.length === 0) return
      const reason = `${failures.length} of ${results.length} snapshots could not be saved`
      throw new StoreFailedError(reason, { operation: 'save', ...EVERY_PROVIDER })
    },
    failingSides() {
      if (circuit === undefined) return undefined
      const sides = circuit.failingSides()
      return isInterrupted && !sides.includes('coordinating') ? [...sides, 'coordinating'] : sides
    },
    async close(caches) {
      unsubscribe()
      const saves = caches.map(async (cache) => await connections.get(cache)?.snapshots.saved({ isRetry: true }))
      // By the machine's clock: a registry whose own clock stands still must be closed, too.
      await keepAlive(settledWithin(systemClock, LAST_SAVES, Promise.allSettled(saves)))
    },
  }
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === 'function'
}

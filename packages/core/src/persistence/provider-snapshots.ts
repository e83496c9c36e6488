import { createHash, randomBytes } from 'node:crypto'
import { type Clock, instant } from '../base/clock.ts'
import type { EventBus } from '../base/events.ts'
import { isObject } from '../base/options.ts'
import type { ProviderKey } from '../base/provider-key.ts'
import type { RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { CacheOptions } from '../jwks-cache/cache-options.ts'
import type { CachedKeys } from '../jwks-cache/cache-state.ts'
import type { ProviderCache } from '../jwks-cache/provider-cache.ts'
import type { Random } from '../jwks-cache/retry.ts'
import { isSameHistory } from '../jwks-cache/usable-keys.ts'
import type { SnapshotRefusal } from '../stores/integrity.ts'
import { plainJson } from '../stores/integrity.ts'
import type { VersionedSnapshot } from '../stores/snapshot-store.ts'
import { checkedAnswer } from '../stores/snapshot-store.ts'
import { keepUntil, readSnapshot, type SnapshotRules, snapshotPayload } from './snapshot.ts'
import { BACKGROUND_TIMEOUT, type StoreCircuit } from './store-circuit.ts'

/** The result of a load: the snapshot is used, is no newer than the cached keys, is absent, is refused, or could not be read. */
export type LoadResult = 'loaded' | 'kept' | 'absent' | 'refused' | 'failed'

/** The revocations in the store, which are loaded before any key. */
export interface LoadedRevocations {
  /** Unites with what the store has of this provider; false where that could not be read. Never rejects. */
  load(key: ProviderKey, isRetry: boolean): Promise<boolean>
}

/** What a registry's snapshots share. */
export interface SnapshotContext {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventBus<RegistryEvents>
  readonly closed: AbortSignal
  readonly circuit: StoreCircuit
  readonly revocations: LoadedRevocations
  readonly runDetached: <Value>(work: () => Value) => Value
}

/** One provider's snapshot in the store. None of its methods rejects. */
export interface ProviderSnapshots {
  /** Loads the stored snapshot and uses it if it is newer; one load at a time, shared by all callers. */
  load(): Promise<LoadResult>
  /** The same after a change: a load in flight may have read before it, so another one follows. */
  reload(): Promise<LoadResult>
  /** The load in flight, if there is one. */
  pendingLoad(): Promise<LoadResult> | undefined
  /** Saves what is cached in the background; what changes meanwhile is saved after. */
  saveInBackground(): void
  /** The save in flight, if there is one. */
  pendingSave(): Promise<boolean> | undefined
  /** Resolves when nothing remains to be saved; false where that failed. */
  saved(options?: { readonly isRetry: boolean }): Promise<boolean>
  /** Removes the snapshot. */
  delete(): Promise<void>
  /** The generation that was last loaded or saved; compared with that of the store. */
  generation(): string | undefined
}

/** How often a save is tried against other processes that save at the same time. */
const MAX_CONTESTED_SAVES = 3

/** Creates the access to one provider's snapshot; nothing is read yet. */
export function createProviderSnapshots(
  key: ProviderKey,
  options: CacheOptions,
  rules: SnapshotRules,
  cache: ProviderCache,
  { circuit, revocations, clock, random, events, closed, runDetached }: SnapshotContext,
): ProviderSnapshots {
  const { store, signer } = circuit
  const { coordination } = store
  const retryOwner = {}
  let loading: Promise<LoadResult> | undefined
  let saving: Promise<boolean> | undefined
  let isDirty = false
  let generation: string | undefined
  let lastRefused: string | undefined
  let isSignedAgain = false

  const isDeleted = (): boolean => cache.lifecycle === 'deleted'

  /** What is cached and was fetched; also immutable keys of which only the history is left. */
  function storable(): CachedKeys | undefined {
    const { cached } = cache.state
    return cached?.source === 'inline' ? undefined : cached
  }

  async function read(): Promise<VersionedSnapshot> {
    if (coordination === undefined) return { snapshot: plainJson(await store.load(key)), generation: undefined }
    const versioned: unknown = await coordination.load(key)
    if (!isObject(versioned)) throw new TypeError('load() must return a snapshot and its generation')
    const { snapshot, generation: stored } = versioned
    return { snapshot: plainJson(snapshot), generation: typeof stored === 'string' ? stored : undefined }
  }

  async function loadNow(isRetry: boolean): Promise<LoadResult> {
    const wasOpen = circuit.isOpen('load', key)
    // Revocations come before any key: a revoked one must not be accepted for a moment.
    if (!(await revocations.load(key, isRetry))) return 'failed'
    const attempt = await circuit.attempt({
      operation: 'load',
      key,
      work: read,
      patience: BACKGROUND_TIMEOUT,
      // A load that was started in good health is finished, also where the store was late.
      isRetry: isRetry || !wasOpen,
    })
    if (!attempt.ok) return 'failed'
    const { snapshot } = attempt.value
    generation = attempt.value.generation
    if (snapshot === undefined) {
      // The store has lost it.
      if (saving === undefined && storable() !== undefined) saveInBackground()
      return 'absent'
    }
    const verified = signer.verify(snapshot)
    const now = instant(clock)
    const context = { now, known: () => cache.state.cached?.published, random: random() }
    const reading = await readSnapshot(verified, rules.binding, options, rules.urls, context)
    if (!reading.ok) {
      await refuse(reading.reason, snapshot)
      return 'refused'
    }
    lastRefused = undefined
    if (isDeleted()) return 'kept'
    // Immutable keys may never change again: signed with an old `integrityKey` only, they would be lost with that key.
    if (verified.ok && !verified.isCurrent && !isSignedAgain) {
      isSignedAgain = true
      saveInBackground()
    }
    const isNew = cache.load(reading.loaded)
    // Another process, which did not know them, has saved over immutable keys.
    const [stored, own] = [reading.loaded.immutable, cache.state.cached?.immutable]
    if (saving === undefined && own !== undefined && stored !== undefined && !isSameHistory(stored, own)) {
      saveInBackground()
    }
    return isNew ? 'loaded' : 'kept'
  }

  async function reload(): Promise<LoadResult> {
    await loading
    return await load()
  }

  /** Once for each snapshot, however often it is read before something better is saved in its place. */
  async function refuse(reason: SnapshotRefusal, snapshot: unknown): Promise<void> {
    const hash = createHash('sha256').update(JSON.stringify(snapshot)).digest('base64url')
    if (hash === lastRefused) return
    lastRefused = hash
    events.emit('snapshot-refused', { ...key, reason })
    const work = async (): Promise<void> => {
      if (store.setAside !== undefined) return await store.setAside(key)
      const aside = { tenant: key.tenant, provider: `.refused.${key.provider}` }
      await store.save(aside, signer.sign({ kind: 'refused', refused: snapshot }, null))
    }
    await circuit.attempt({ operation: 'save', key, work, timeout: BACKGROUND_TIMEOUT })
  }

  function load(isRetry = false): Promise<LoadResult> {
    loading ??= runDetached(() => loadNow(isRetry))
      .catch(() => 'failed' as const)
      .finally(() => {
        loading = undefined
      })
    return loading
  }

  async function saveNow(isRetry: boolean): Promise<boolean> {
    for (let contested = 0; contested < MAX_CONTESTED_SAVES; contested += 1) {
      // Immutable keys that another process has found are kept, and so is what was saved while this one could not: what a
      // plain store has is known only by reading it.
      const isRead = coordination === undefined && (isRetry || options.keyLifetime === 'immutable')
      if (isRead && (await load(isRetry)) === 'failed' && options.keyLifetime === 'immutable') return false
      const cached = storable()
      if (cached === undefined || isDeleted()) return true
      const [expected, next] = [generation, randomBytes(16).toString('hex')]
      const work = async (): Promise<boolean> => {
        const snapshot = signer.sign(snapshotPayload(rules.binding, cached), keepUntil(cached))
        if (coordination !== undefined) {
          return checkedAnswer('saveIf', await coordination.saveIf(key, snapshot, expected, next))
        }
        await store.save(key, snapshot)
        return true
      }
      const attempt = await circuit.attempt({ operation: 'save', key, work, timeout: BACKGROUND_TIMEOUT, isRetry })
      if (!attempt.ok) return false
      if (attempt.value) {
        generation = coordination === undefined ? undefined : next
        lastRefused = undefined
        events.emit('snapshot-saved', { ...key })
        return true
      }
      // Another process has saved meanwhile. If its keys are newer, they are cached now; if not, ours are saved.
      const result = await load(isRetry)
      if (result === 'failed') return false
      if (result === 'loaded' && options.keyLifetime === 'http') return true
    }
    return true
  }

  async function saveAll(isRetry: boolean): Promise<boolean> {
    while (isDirty) {
      isDirty = false
      if (await saveNow(isRetry)) continue
      isDirty = true
      circuit.retryLater(retryOwner, 'save', async () => await startSaving(true))
      return false
    }
    return true
  }

  function startSaving(isRetry: boolean): Promise<boolean> {
    saving ??= runDetached(() => saveAll(isRetry))
      .catch(() => false)
      .finally(() => {
        saving = undefined
      })
    return saving
  }

  /** Cannot reject: a save that throws counts as failed, and is retried. */
  function saveInBackground(): void {
    if (isDeleted()) return
    isDirty = true
    if (!closed.aborted) startSaving(false).catch(() => false)
  }

  return {
    load: () => load(),
    reload,
    pendingLoad: () => loading,
    saveInBackground,
    pendingSave: () => saving,
    async saved({ isRetry } = { isRetry: false }) {
      const isSaved = (await saving) ?? true
      return isDirty && (isSaved || isRetry) ? await startSaving(isRetry) : !isDirty
    },
    async delete() {
      isDirty = false
      // What is being saved must not come after.
      await saving
      const work = async (): Promise<void> => await store.delete(key)
      const call = { operation: 'delete', key, work, timeout: BACKGROUND_TIMEOUT } as const
      if ((await circuit.attempt(call)).ok) return
      circuit.retryLater(retryOwner, 'delete', async () => (await circuit.attempt({ ...call, isRetry: true })).ok)
    },
    generation: () => generation,
  }
}

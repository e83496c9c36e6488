import { createHash, randomBytes } from 'node:crypto'
import type { ProviderKey } from '../base/provider-key.ts'
import type { UrlRules } from '../http/url-rules.ts'
import type { SnapshotRefusal } from '../stores/integrity.ts'
import { plainJson } from '../stores/plain-json.ts'
import type { VersionedSnapshot } from '../stores/snapshot-store.ts'
import type { CacheOptions } from './cache-options.ts'
import type { Holdings } from './holdings.ts'
import { isSameHistory } from './immutable-keys.ts'
import type { RefreshContext } from './refresh-context.ts'
import type { RevocationBook } from './revocation-book.ts'
import { keepUntil, readSnapshot, type SnapshotBinding, snapshotPayload } from './snapshot.ts'
import { BACKGROUND_TIMEOUT, type StoreAccess } from './store-access.ts'

/** What came of a look into the store: taken over, no newer than what is held, nothing there, refused, or no answer. */
export type LoadResult = 'loaded' | 'kept' | 'absent' | 'refused' | 'failed'

/** What a provider's snapshots are checked against. */
export interface SnapshotRules {
  readonly binding: SnapshotBinding
  readonly urls: UrlRules
}

/** What a registry's snapshots share. */
export interface SnapshotContext extends Pick<RefreshContext, 'clock' | 'random' | 'events' | 'closed'> {
  readonly access: StoreAccess
  readonly revocations: RevocationBook
}

/** One provider's place in the store. */
export interface ProviderSnapshots {
  /** Takes over what the store has, if it is newer; one load at a time, shared by whoever asks. Never rejects. */
  load(): Promise<LoadResult>
  /** The same, for whoever knows of a change: a load under way may have read before it, so another one follows. */
  reload(): Promise<LoadResult>
  /** The load under way, if there is one. */
  underWay(): Promise<LoadResult> | undefined
  /** Writes what is held, soon and in the background; what changes meanwhile is written after. */
  saveSoon(): void
  /** True while something is being written. */
  isSaving(): boolean
  /** Settles when nothing remains to be written; false where that failed. A store that is failing is asked for a retry only. */
  saved(options?: { readonly isRetry: boolean }): Promise<boolean>
  /** Removes the snapshot. */
  delete(): Promise<void>
  /** The generation that was last loaded or saved; compared with that of the store. */
  generation(): string | undefined
}

/** How often a save is tried against others that save at the same time. */
const MAX_CONTESTED_SAVES = 3

/** A provider's place in the store, nothing read of it yet. */
export function createProviderSnapshots(
  key: ProviderKey,
  options: CacheOptions,
  rules: SnapshotRules,
  holdings: Pick<Holdings, 'record' | 'published' | 'adopt'>,
  { access, revocations, clock, random, events, closed }: SnapshotContext,
): ProviderSnapshots {
  const { store, seal } = access
  const { coordination } = store
  let loading: Promise<LoadResult> | undefined
  let saving: Promise<boolean> | undefined
  let isDirty = false
  let isDeleted = false
  let generation: string | undefined
  let lastRefused: string | undefined
  let isResealed = false

  async function read(): Promise<VersionedSnapshot> {
    if (coordination === undefined) return { snapshot: plainJson(await store.load(key)), generation: undefined }
    const { snapshot, generation: stored } = await coordination.load(key)
    return { snapshot: plainJson(snapshot), generation: stored }
  }

  async function loadNow(isRetry: boolean): Promise<LoadResult> {
    // Before any key is: one that was revoked must not be accepted for a moment.
    const wasFailing = access.isFailing()
    if (!(await revocations.load(key, { isRetry }))) return 'failed'
    const attempt = await access.attempt({
      operation: 'load',
      key,
      work: read,
      patience: BACKGROUND_TIMEOUT,
      // A load that was begun in good health is ended, also where its first answer came late.
      isRetry: isRetry || !wasFailing,
    })
    if (!attempt.ok) return 'failed'
    const { snapshot } = attempt.value
    generation = attempt.value.generation
    if (snapshot === undefined) {
      // The store has lost it.
      if (saving === undefined && holdings.record() !== undefined) saveSoon()
      return 'absent'
    }
    const now = clock.now()
    const context = { now, held: holdings.published(), random: random() }
    const opened = seal.open(snapshot)
    const reading = readSnapshot(opened, rules.binding, options, rules.urls, context)
    if (!reading.ok) {
      await refuse(reading.reason, snapshot)
      return 'refused'
    }
    lastRefused = undefined
    if (isDeleted) return 'kept'
    // Immutable keys may never change again: signed with an old `integrityKey` only, they would be lost with that.
    if (opened.ok && !opened.isCurrent && !isResealed) {
      isResealed = true
      saveSoon()
    }
    const isNew = await holdings.adopt(reading.loaded)
    // Another process, which did not know of them, has saved over immutable keys.
    const [stored, own] = [reading.loaded.entry.immutable, holdings.record()?.immutable]
    if (saving === undefined && own !== undefined && !isSameHistory(stored, own)) saveSoon()
    return isNew ? 'loaded' : 'kept'
  }

  async function reload(): Promise<LoadResult> {
    await loading
    return await load()
  }

  /** Once for each, however often it is read before something better is saved in its place. */
  async function refuse(reason: SnapshotRefusal, snapshot: unknown): Promise<void> {
    const hash = createHash('sha256').update(JSON.stringify(snapshot)).digest('base64url')
    if (hash === lastRefused) return
    lastRefused = hash
    events.emit('snapshot-refused', { ...key, reason })
    const work = async (): Promise<void> => {
      if (store.setAside !== undefined) return await store.setAside(key)
      const aside = { tenant: key.tenant, provider: `.refused.${key.provider}` }
      await store.save(aside, seal.seal({ kind: 'refused', refused: snapshot }, null))
    }
    await access.attempt({ operation: 'save', key, work, timeout: BACKGROUND_TIMEOUT })
  }

  function load(isRetry = false): Promise<LoadResult> {
    loading ??= loadNow(isRetry).finally(() => {
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
      const entry = holdings.record()
      if (entry === undefined || isDeleted) return true
      const snapshot = seal.seal(snapshotPayload(rules.binding, entry), keepUntil(entry))
      const [expected, next] = [generation, randomBytes(16).toString('hex')]
      const work = async (): Promise<boolean> => {
        if (coordination !== undefined) return await coordination.saveIf(key, snapshot, expected, next)
        await store.save(key, snapshot)
        return true
      }
      const attempt = await access.attempt({ operation: 'save', key, work, timeout: BACKGROUND_TIMEOUT, isRetry })
      if (!attempt.ok) return false
      if (attempt.value) {
        generation = coordination === undefined ? undefined : next
        lastRefused = undefined
        events.emit('snapshot-saved', { ...key })
        return true
      }
      // Another process has saved meanwhile. If its keys are newer, they are the ones to have; if not, ours are saved.
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
      access.retryLater(retryOwner, async () => await startSaving(true))
      return false
    }
    return true
  }

  const retryOwner = {}

  function startSaving(isRetry: boolean): Promise<boolean> {
    saving ??= saveAll(isRetry).finally(() => {
      saving = undefined
    })
    return saving
  }

  function saveSoon(): void {
    if (isDeleted) return
    isDirty = true
    if (!closed.aborted) void startSaving(false)
  }

  return {
    load: () => load(),
    reload,
    underWay: () => loading,
    saveSoon,
    isSaving: () => saving !== undefined,
    saved: ({ isRetry } = { isRetry: false }) =>
      isDirty || saving !== undefined ? startSaving(isRetry) : Promise.resolve(true),
    async delete() {
      isDeleted = true
      isDirty = false
      // What is being written must not come after.
      await saving
      const work = async (): Promise<void> => await store.delete(key)
      const call = { operation: 'delete', key, work, timeout: BACKGROUND_TIMEOUT } as const
      if ((await access.attempt(call)).ok) return
      access.retryLater(retryOwner, async () => (await access.attempt({ ...call, isRetry: true })).ok)
    },
    generation: () => generation,
  }
}

import { createManualClock, type ManualClock, memoryStore } from '@jwks-auth/testing'
import { onTestFinished } from 'vitest'
import { createEventBus } from '../../src/base/events.ts'
import type { ProviderKey, RevocationStore, SnapshotStore } from '../../src/index.ts'
import { type RegistryEvents, registryEventTypes } from '../../src/jwks-cache/cache-events.ts'
import { createRevocationBook, type RevocationBook } from '../../src/persistence/revocation-log.ts'
import { createStoreAccess } from '../../src/persistence/store-circuit.ts'
import { createSeal } from '../../src/stores/integrity.ts'

export const acme: ProviderKey = { tenant: 'acme', provider: 'main' }
export const globex: ProviderKey = { tenant: 'globex', provider: 'main' }

/** A store that keeps revocations apart, and can be looked into. */
export interface ApartStore {
  readonly store: SnapshotStore
  /** What is kept, by id. */
  readonly kept: Map<string, unknown>
  /** How often each part was called. */
  readonly calls: { revision: number; load: number; save: number }
  /** From now on every part of it rejects, or no longer. */
  fail(isFailing: boolean): void
}

/** Empty, to begin with. */
export function apartStore(): ApartStore {
  const kept = new Map<string, unknown>()
  const calls = { revision: 0, load: 0, save: 0 }
  let revision = 0
  let isFailing = false
  async function called(part: keyof typeof calls): Promise<void> {
    calls[part] += 1
    if (isFailing) throw new Error('the store is down')
  }
  const revocations: RevocationStore = {
    async revision() {
      await called('revision')
      return `${revision} ${kept.size}`
    },
    async load() {
      await called('load')
      return [...kept.values()].map((value) => JSON.parse(JSON.stringify(value)))
    },
    async save(id, revocation) {
      await called('save')
      revision += 1
      kept.set(id, revocation)
    },
  }
  const { load, save, delete: remove } = memoryStore()
  return {
    store: { load, save, delete: remove, revocations },
    kept,
    calls,
    fail(failing) {
      isFailing = failing
    },
  }
}

/** A book with what it tells. */
export interface BookScene {
  readonly book: RevocationBook
  readonly clock: ManualClock
  readonly told: readonly (readonly [type: string, event: unknown])[]
  /** Providers whose revocations were changed by others. */
  readonly revoked: readonly ProviderKey[]
  close(): void
}

/** A process's book of revocations on this store. */
export function openBook(store: SnapshotStore | undefined, keys: readonly string[] = []): BookScene {
  const clock = createManualClock()
  const events = createEventBus<RegistryEvents>(registryEventTypes)
  const closing = new AbortController()
  const context = { clock, events, closed: closing.signal }
  const told: (readonly [string, unknown])[] = []
  const revoked: ProviderKey[] = []
  for (const type of registryEventTypes) events.on(type, (event) => told.push([type, event]))
  const access = store && createStoreAccess({ store, seal: createSeal(keys), timeout: 250 }, context)
  onTestFinished(() => closing.abort())
  return {
    book: createRevocationBook(access, context, (key) => revoked.push(key)),
    clock,
    told,
    revoked,
    close: () => closing.abort(),
  }
}

/** As `revokeKey` does it. */
export async function revoke(book: RevocationBook, key: ProviderKey, kid: string): Promise<void> {
  await book.persist(key, [await book.of(key).add(kid, undefined)])
}

/** As `unrevokeKey` does it. */
export async function unrevoke(book: RevocationBook, key: ProviderKey, kid: string): Promise<void> {
  await book.persist(key, book.of(key).lift(kid))
}

/** Which of these `kid`s are revoked. */
export function hasAll(book: RevocationBook, key: ProviderKey, ...kids: readonly string[]): readonly boolean[] {
  return kids.map((kid) => book.of(key).has(kid))
}

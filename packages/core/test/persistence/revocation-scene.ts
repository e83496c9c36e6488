import { createManualClock, type ManualClock, memoryStore } from '@jwks-auth/testing'
import { onTestFinished } from 'vitest'
import { createEventBus } from '../../src/base/events.ts'
import type { ProviderKey, RevocationStore, SnapshotStore } from '../../src/index.ts'
import { type RegistryEvents, registryEventTypes } from '../../src/jwks-cache/cache-events.ts'
import { createRevocationLog, type RevocationLog } from '../../src/persistence/revocation-log.ts'
import { createStoreCircuit } from '../../src/persistence/store-circuit.ts'
import { createSnapshotSigner } from '../../src/stores/integrity.ts'

export const acme: ProviderKey = { tenant: 'acme', provider: 'main' }
export const globex: ProviderKey = { tenant: 'globex', provider: 'main' }

/** A store that keeps revocations apart from snapshots, with access to its content. */
export interface ApartStore {
  readonly store: SnapshotStore & { readonly revocations: RevocationStore }
  /** The records, by id. */
  readonly kept: Map<string, unknown>
  /** How often each method was called. */
  readonly calls: { revision: number; load: number; save: number }
  /** Makes every method reject, or work again. */
  fail(isFailing: boolean): void
}

/** Creates an empty store that keeps revocations apart. */
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

/** One process's revocation log, with its events. */
export interface LogScene {
  readonly log: RevocationLog
  readonly clock: ManualClock
  readonly events: readonly (readonly [type: string, event: unknown])[]
  /** Providers whose revocations were changed by other processes. */
  readonly changed: readonly ProviderKey[]
  close(): void
}

export interface LogOptions {
  readonly keys?: readonly string[]
  /** Default: a clock of its own. */
  readonly clock?: ManualClock
  /** Random numbers of this process. Default: always 0. */
  readonly random?: () => number
}

/** Opens a process's revocation log on this store. */
export function openLog(
  store: SnapshotStore | undefined,
  { keys = [], clock = createManualClock(), random = () => 0 }: LogOptions = {},
): LogScene {
  const bus = createEventBus<RegistryEvents>(registryEventTypes)
  const closing = new AbortController()
  const context = { clock, random, events: bus, closed: closing.signal }
  const events: (readonly [string, unknown])[] = []
  const changed: ProviderKey[] = []
  for (const type of registryEventTypes) bus.on(type, (event) => events.push([type, event]))
  const circuit = store && createStoreCircuit({ store, signer: createSnapshotSigner(keys), timeout: 250 }, context)
  onTestFinished(() => closing.abort())
  return {
    log: createRevocationLog(circuit, context, (key) => changed.push(key)),
    clock,
    events,
    changed,
    close: () => closing.abort(),
  }
}

/** Revokes and saves, as `revokeKey` does. */
export async function revoke(log: RevocationLog, key: ProviderKey, kid: string): Promise<void> {
  await log.persist(key, [log.of(key).revoke(kid, undefined)])
}

/** Lifts and saves, as `unrevokeKey` does. */
export async function unrevoke(log: RevocationLog, key: ProviderKey, kid: string): Promise<void> {
  await log.persist(key, log.of(key).lift(kid))
}

/** Whether each of these `kid`s is revoked. */
export function areRevoked(log: RevocationLog, key: ProviderKey, ...kids: readonly string[]): readonly boolean[] {
  return kids.map((kid) => log.of(key).has(kid))
}

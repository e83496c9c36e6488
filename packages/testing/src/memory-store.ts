import type { Clock, FleetCoordination, ProviderKey, RevocationStore, SnapshotStore } from '@jwks-auth/core'
import { type OptionTable, optional } from '@jwks-auth/core/adapter'
import { memoryFleet } from './memory-fleet.ts'
import { checkOptions, listOf, valid, milliseconds as waitable } from './option-checks.ts'

/** A call of a {@link MemoryStore}. */
export interface StoreCall {
  /** The method. */
  readonly method: 'load' | 'save' | 'delete'
  /** The key that it was called with. */
  readonly key: ProviderKey
}

/** One snapshot of a {@link MemoryStore}. */
export interface StoredSnapshot {
  /** The key. */
  readonly key: ProviderKey
  /** A copy of the value that was saved or put. */
  readonly snapshot: unknown
}

/** An optional part of a {@link MemoryStore}. */
export type MemoryStorePart = 'setAside' | 'warnings' | 'revocations' | 'coordination'

/** A method of a store, its parts included. */
export type StoreMethod =
  | 'load'
  | 'save'
  | 'delete'
  | 'setAside'
  | 'warnings'
  | `revocations.${keyof RevocationStore}`
  | `coordination.${keyof FleetCoordination}`

/** All methods of a store, for a test of each: `it.each(storeMethods)`. */
export const storeMethods: readonly StoreMethod[] = Object.freeze([
  'load',
  'save',
  'delete',
  'setAside',
  'warnings',
  'revocations.revision',
  'revocations.load',
  'revocations.save',
  'coordination.acquire',
  'coordination.renew',
  'coordination.release',
  'coordination.inspect',
  'coordination.load',
  'coordination.saveIf',
  'coordination.shareFailure',
  'coordination.reserveRefetch',
  'coordination.returnRefetch',
  'coordination.subscribe',
] satisfies readonly StoreMethod[])

/** How to create a {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** The optional parts that it has. Default: none. Registries that share the store then play a fleet. */
  readonly parts?: readonly MemoryStorePart[] | undefined
  /** The clock by which leases, refetch budgets and shared failures expire. Default: real time. */
  readonly clock?: Pick<Clock, 'monotonic'> | undefined
}

/** A store in memory with scriptable faults. It outlives the registries that use it, as a real one does. */
export interface MemoryStore extends SnapshotStore {
  /** The calls of `load`, `save` and `delete` so far, oldest first, including those that hang or fail. */
  readonly calls: readonly StoreCall[]
  /** All snapshots, in the order in which their keys were first saved. */
  readonly snapshots: readonly StoredSnapshot[]
  /** Stores any JSON value under a key, as another program with write access could. Not a call. */
  put(key: ProviderKey, content: unknown): void
  /** From now on, every call rejects. Default: an `Error` with the message "the store is down". */
  fail(error?: Error): void
  /** From now on, every call waits until {@link MemoryStore.recover}, then takes effect. */
  hang(): void
  /** From now on, every call takes effect that many milliseconds later. Default: by real time. */
  delay(milliseconds: number, clock?: Pick<Clock, 'setTimeout'>): void
  /**
   * From now on, `behaviour` runs instead of this method. It may return anything, a promise or not, throw or reject.
   * It receives the method's arguments. Other methods are unaffected.
   *
   * @throws TypeError for a method that the store does not have
   */
  misbehave(method: StoreMethod, behaviour: (...values: unknown[]) => unknown): void
  /** Ends all faults. */
  recover(): void
}

const realTime: Pick<Clock, 'setTimeout'> = { setTimeout: (callback, delay) => setTimeout(callback, delay) }
const allParts: readonly MemoryStorePart[] = ['setAside', 'warnings', 'revocations', 'coordination']

const table = {
  parts: optional(listOf(allParts)),
  clock: optional(
    valid<Pick<Clock, 'monotonic'>>(
      (value) => typeof value === 'object' && value !== null && 'monotonic' in value,
      'a clock with a method monotonic',
    ),
  ),
} satisfies OptionTable<MemoryStoreOptions>

/**
 * Creates an empty store in memory. Arguments and results are copied through JSON, as with a real store.
 *
 * @throws TypeError for an unknown option or part
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  const { parts = [], clock = performanceClock } = checkOptions('memoryStore', options, table)
  const kept = new Map<string, { readonly key: ProviderKey; readonly text: string }>()
  const calls: StoreCall[] = []
  const misbehaviours = new Map<StoreMethod, (...values: unknown[]) => unknown>()
  let obstacle = (): Promise<void> => Promise.resolve()
  let release = (): void => undefined

  const nameOf = ({ tenant, provider }: ProviderKey): string => JSON.stringify([tenant, provider])
  const keep = (key: ProviderKey, text: string): void => {
    kept.set(nameOf(key), { key: copyOf(key), text })
  }
  const fleet = memoryFleet({ get: (key) => kept.get(nameOf(key))?.text, set: keep }, () => clock.monotonic())
  const record = (method: StoreCall['method'], key: ProviderKey): void => {
    calls.push(Object.freeze({ method, key: copyOf(key) }))
  }

  /** The method, unless it misbehaves. */
  function scripted<Parameters extends unknown[], Result>(
    name: StoreMethod,
    method: (...values: Parameters) => Result,
  ): (...values: Parameters) => Result {
    return (...values) => {
      const behaviour = misbehaviours.get(name)
      // The type is wrong on purpose: a behaviour may return what the method must not.
      return behaviour === undefined ? method(...values) : (behaviour(...values) as Result)
    }
  }

  /** The method, subject to all faults. */
  function faulty<Parameters extends unknown[], Result>(
    name: StoreMethod,
    method: (...values: Parameters) => Promise<Result>,
  ): (...values: Parameters) => Promise<Result> {
    return scripted(name, async (...values: Parameters) => {
      await obstacle()
      return await method(...values)
    })
  }

  const { revocations, coordination } = fleet
  const shareFailure = coordination.shareFailure
  const optional = {
    setAside: faulty('setAside', async (_key: ProviderKey) => undefined),
    warnings: faulty('warnings', async (): Promise<readonly string[]> => []),
    revocations: {
      revision: faulty('revocations.revision', revocations.revision),
      load: faulty('revocations.load', revocations.load),
      save: faulty('revocations.save', revocations.save),
    } satisfies RevocationStore,
    coordination: {
      acquire: faulty('coordination.acquire', coordination.acquire),
      renew: faulty('coordination.renew', coordination.renew),
      release: faulty('coordination.release', coordination.release),
      inspect: faulty('coordination.inspect', coordination.inspect),
      load: faulty('coordination.load', coordination.load),
      saveIf: faulty('coordination.saveIf', coordination.saveIf),
      ...(shareFailure && { shareFailure: faulty('coordination.shareFailure', shareFailure) }),
      reserveRefetch: faulty('coordination.reserveRefetch', coordination.reserveRefetch),
      returnRefetch: faulty('coordination.returnRefetch', coordination.returnRefetch),
      subscribe: scripted('coordination.subscribe', coordination.subscribe),
    } satisfies FleetCoordination,
  }

  return {
    ...Object.fromEntries(parts.map((part) => [part, optional[part]])),
    load: scripted('load', async (key: ProviderKey) => {
      record('load', key)
      await obstacle()
      const found = kept.get(nameOf(key))
      return found === undefined ? undefined : parse(found.text)
    }),
    save: scripted('save', async (key: ProviderKey, snapshot: unknown) => {
      const [owned, text] = [copyOf(key), JSON.stringify(snapshot)]
      record('save', key)
      await obstacle()
      keep(owned, text)
      fleet.changed(owned, crypto.randomUUID())
    }),
    delete: scripted('delete', async (key: ProviderKey) => {
      const owned = copyOf(key)
      record('delete', key)
      await obstacle()
      kept.delete(nameOf(owned))
      fleet.changed(owned, undefined)
    }),
    get calls() {
      return [...calls]
    },
    get snapshots() {
      return [...kept.values()].map(({ key, text }): StoredSnapshot => ({ key, snapshot: parse(text) }))
    },
    put: (key, content) => keep(key, JSON.stringify(content)),
    fail(error = new Error('the store is down')) {
      obstacle = async () => {
        throw error
      }
    },
    hang() {
      const stalled = new Promise<void>((resolve) => {
        const releaseEarlier = release
        release = () => {
          releaseEarlier()
          resolve()
        }
      })
      obstacle = () => stalled
    },
    delay(milliseconds, delayClock = realTime) {
      waitable('delay: milliseconds', milliseconds)
      obstacle = () => new Promise((resolve) => void delayClock.setTimeout(resolve, milliseconds))
    },
    misbehave(method, behaviour) {
      const [part = ''] = method.split('.')
      const isThere = ['load', 'save', 'delete'].includes(method) || parts.some((known) => known === part)
      if (!isThere || !storeMethods.includes(method))
        throw new TypeError(`misbehave: the store has no method '${method}'`)
      misbehaviours.set(method, behaviour)
    },
    recover() {
      misbehaviours.clear()
      obstacle = () => Promise.resolve()
      release()
      release = () => undefined
    },
  }
}

const performanceClock: Pick<Clock, 'monotonic'> = { monotonic: () => performance.now() }

function parse(text: string): unknown {
  return JSON.parse(text)
}

function copyOf({ tenant, provider }: ProviderKey): ProviderKey {
  return Object.freeze({ tenant, provider })
}

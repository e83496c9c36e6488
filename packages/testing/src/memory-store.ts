import type { Clock, ProviderKey, SnapshotStore } from '@jwks-auth/core'
import { integer } from './option-checks.ts'

/** A call of a {@link MemoryStore}. */
export interface StoreCall {
  /** The method. */
  readonly method: 'load' | 'save' | 'delete'
  /** The key that it was called with. */
  readonly key: ProviderKey
}

/** What a {@link MemoryStore} keeps under one key. */
export interface StoredSnapshot {
  /** The key. */
  readonly key: ProviderKey
  /** A copy of what was saved or put there. */
  readonly snapshot: unknown
}

/** A store in memory that misbehaves as a test tells it. It outlives the registries that use it, as a real one does. */
export interface MemoryStore extends SnapshotStore {
  /** All calls so far, oldest first; those that hang or fail, too. */
  readonly calls: readonly StoreCall[]
  /** All that is kept, in the order in which the keys were first saved. */
  readonly snapshots: readonly StoredSnapshot[]
  /** Puts any JSON value under a key, as somebody else could who can write to the store. Not a call. */
  put(key: ProviderKey, content: unknown): void
  /** From now on, every call rejects. Default: an `Error` that says that the store is down. */
  fail(error?: Error): void
  /** From now on, no call is answered until {@link MemoryStore.recover}; then those take effect that waited. */
  hang(): void
  /** From now on, every call takes effect and is answered that many milliseconds later. Default: by real time. */
  delay(milliseconds: number, clock?: Pick<Clock, 'setTimeout'>): void
  /** From now on, calls are answered at once again. */
  recover(): void
}

const realTime: Pick<Clock, 'setTimeout'> = { setTimeout: (callback, delay) => setTimeout(callback, delay) }
const waitable = integer(0, 2_147_483_647)

/** Makes a store in memory, empty. What it takes and gives are copies, through JSON as with a real one. */
export function memoryStore(): MemoryStore {
  const kept = new Map<string, { readonly key: ProviderKey; readonly text: string }>()
  const calls: StoreCall[] = []
  let obstacle = (): Promise<void> => Promise.resolve()
  let release = (): void => undefined

  const nameOf = ({ tenant, provider }: ProviderKey): string => JSON.stringify([tenant, provider])
  const keep = (key: ProviderKey, text: string): void => {
    kept.set(nameOf(key), { key: copyOf(key), text })
  }
  const called = (method: StoreCall['method'], key: ProviderKey): Promise<void> => {
    calls.push(Object.freeze({ method, key: copyOf(key) }))
    return obstacle()
  }

  return {
    async load(key) {
      await called('load', key)
      const found = kept.get(nameOf(key))
      return found === undefined ? undefined : parse(found.text)
    },
    async save(key, snapshot) {
      const [owned, text] = [copyOf(key), JSON.stringify(snapshot)]
      await called('save', key)
      keep(owned, text)
    },
    async delete(key) {
      const name = nameOf(key)
      await called('delete', key)
      kept.delete(name)
    },
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
    delay(milliseconds, clock = realTime) {
      if (!waitable.holds(milliseconds)) throw new TypeError(`delay: milliseconds must be ${waitable.mustBe}`)
      obstacle = () => new Promise((resolve) => void clock.setTimeout(resolve, milliseconds))
    },
    recover() {
      obstacle = () => Promise.resolve()
      release()
      release = () => undefined
    },
  }
}

function parse(text: string): unknown {
  return JSON.parse(text)
}

function copyOf({ tenant, provider }: ProviderKey): ProviderKey {
  return Object.freeze({ tenant, provider })
}

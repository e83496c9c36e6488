import { type MemoryStore, memoryStore } from '@jwks-auth/testing'
import { fileStore, type ProviderRegistration, type RegistryOptions, type SnapshotStore } from '../../../src/index.ts'
import { temporaryDirectory } from '../process.ts'

/** Where revocations are kept. */
export const places = ['a directory', 'a store of three methods'] as const

/** A place that every process opens for itself. */
export function placeOf(name: (typeof places)[number]): () => RegistryOptions {
  if (name === 'a directory') {
    const directory = temporaryDirectory()
    return () => ({ store: fileStore({ directory }) })
  }
  const store = memoryStore()
  return () => ({ store: plain(store) })
}

/** The three methods of a store, and nothing else. */
export function plain({ load, save, delete: remove }: MemoryStore): SnapshotStore {
  return { load, save, delete: remove }
}

export const lifetimes: readonly NonNullable<ProviderRegistration['keyLifetime']>[] = ['http', 'immutable']

/** Both lifetimes in both places. */
export const everywhere = lifetimes.flatMap((keyLifetime) => places.map((place) => [keyLifetime, place] as const))

/** A file store, and what waits until nothing is asked of it any more. */
export function watchedFileStore(directory: string): { readonly store: SnapshotStore; idle(): Promise<void> } {
  const { revocations, ...store } = fileStore({ directory })
  if (revocations === undefined) throw new Error('a file store keeps revocations apart')
  let underWay = 0
  function watched<Parameters extends readonly unknown[], Value>(method: (...given: Parameters) => Promise<Value>) {
    return async (...given: Parameters): Promise<Value> => {
      underWay += 1
      try {
        return await method(...given)
      } finally {
        underWay -= 1
      }
    }
  }
  return {
    store: {
      ...store,
      load: watched(store.load),
      save: watched(store.save),
      revocations: {
        revision: watched(revocations.revision),
        load: watched(revocations.load),
        save: watched(revocations.save),
      },
    },
    async idle() {
      // What one call has brought may lead to another.
      for (let quiet = 0; quiet < 20; quiet = underWay === 0 ? quiet + 1 : 0) {
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

import type { ProviderKey, SnapshotStore } from '@jwks-auth/core'

/** Settings that an application keeps itself: with electron-store or conf, in a row of a database, in the registry. */
export interface Settings {
  get(name: string): string | undefined
  set(name: string, value: string): void
  delete(name: string): void
}

/** Keeps the keys among the application's settings. */
export function settingsStore(settings: Settings): SnapshotStore {
  const nameOf = ({ tenant, provider }: ProviderKey): string => `keys/${tenant}/${provider}`
  return {
    async load(key) {
      const text = settings.get(nameOf(key))
      return text === undefined ? undefined : JSON.parse(text)
    },
    async save(key, snapshot) {
      settings.set(nameOf(key), JSON.stringify(snapshot))
    },
    async delete(key) {
      settings.delete(nameOf(key))
    },
  }
}

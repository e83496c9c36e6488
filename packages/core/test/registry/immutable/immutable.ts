import { type MemoryStore, memoryStore, type TestIssuer } from '@jwks-auth/testing'
import type { ProviderRegistration, RegistryOptions } from '../../../src/index.ts'
import { type Process, startIssuer, startProcess, startProcessWithKeys } from '../process.ts'

/** The one setting. */
export const immutable: Partial<ProviderRegistration> = { keyLifetime: 'immutable' }

/** An issuer, a store in memory, and what starts processes with immutable keys in it. */
export interface ImmutableScene {
  readonly issuer: TestIssuer
  readonly store: MemoryStore
  /** A process on that store. */
  start(provider?: Partial<ProviderRegistration>, registry?: RegistryOptions): Promise<Process>
  /** A process on that store that has asked for the keys, and saved them. */
  startWithKeys(provider?: Partial<ProviderRegistration>, registry?: RegistryOptions): Promise<Process>
}

/** Sets the scene; the issuer publishes that many keys, `key-1` and so on. */
export async function setImmutableScene(keys = 1): Promise<ImmutableScene> {
  const issuer = await startIssuer()
  const store = memoryStore()
  for (let made = 1; made < keys; made += 1) await issuer.addKey()
  const options = (provider: Partial<ProviderRegistration> = {}, registry: RegistryOptions = {}) => ({
    issuer,
    registry: { store, ...registry },
    provider: { ...immutable, ...provider },
  })
  return {
    issuer,
    store,
    start: async (provider, registry) => await startProcess(options(provider, registry)),
    startWithKeys: async (provider, registry) => await startProcessWithKeys(options(provider, registry)),
  }
}

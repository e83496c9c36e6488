import { chmodSync } from 'node:fs'
import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createRegistry, fileStore, type RegistryOptions, type SnapshotStore } from '../../../src/index.ts'
import {
  integrityKey,
  key,
  provider,
  registrationOf,
  startIssuer,
  temporaryDirectory,
  tenant,
  until,
} from '../process.ts'
import { registryOn } from './registry-on.ts'

const NO_KEY = expect.stringContaining('There is no integrityKey')

/** What a registry warns of once it has loaded something. */
async function warningsOf(options: RegistryOptions) {
  const issuer = await startIssuer()
  const { registry, told } = registryOn(options)
  for (const name of [provider, 'other']) await registry.register({ ...registrationOf(issuer), provider: name })
  await registry.resolve(tenant, provider)
  await registry.persistAll()
  return told('store-warning')
}

describe('a registry warns, once', () => {
  it('that nothing is authenticated', async () => {
    expect(await warningsOf({ store: memoryStore() })).toEqual([{ ...key, message: NO_KEY }])
  })

  it('of that, also where it was configured explicitly', async () => {
    expect(await warningsOf({ store: memoryStore(), integrityKey: false })).toEqual([{ ...key, message: NO_KEY }])
  })

  it('of nothing with an integrityKey, and of nothing without a store', async () => {
    expect(await warningsOf({ store: memoryStore(), integrityKey })).toEqual([])
    expect(await warningsOf({})).toEqual([])
  })

  it.runIf(process.platform !== 'win32')('of a directory that everybody can write to', async () => {
    const directory = temporaryDirectory()
    chmodSync(directory, 0o777)
    const writable = expect.stringContaining(`${directory} is writable by other users`)
    expect(await warningsOf({ publicKeyPath: directory })).toEqual([
      { ...key, message: NO_KEY },
      { ...key, message: writable },
    ])
    expect(await warningsOf({ store: fileStore({ directory }), integrityKey })).toEqual([{ ...key, message: writable }])
  })

  it('of what a store of your own says', async () => {
    const store: SnapshotStore = { ...memoryStore(), warnings: async () => ['The moon is full.'] }
    expect(await warningsOf({ store, integrityKey })).toEqual([{ ...key, message: 'The moon is full.' }])
  })

  it('where listeners were added after the creation: nothing is told before the first registration', async () => {
    const issuer = await startIssuer()
    const registry = createRegistry({ store: memoryStore(), requireHttps: false })
    await new Promise((resolve) => setImmediate(resolve))
    const told: string[] = []
    registry.on('store-warning', ({ message }) => told.push(message))
    await registry.register(registrationOf(issuer))
    await until(() => told.length > 0)
    expect(told).toEqual([NO_KEY])
    await registry.close()
  })
})

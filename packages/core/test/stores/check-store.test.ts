import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createAuthenticator, createRegistry, fileStore, type RegistryOptions } from '../../src/index.ts'
import { checkIntegrityKeys, checkStore } from '../../src/stores/snapshot-store.ts'
import { temporaryDirectory } from './store-scene.ts'

describe('a store', () => {
  it.each([
    ['an object with the three methods', { load: async () => undefined, save: async () => {}, delete: async () => {} }],
    ['a memory store', memoryStore()],
  ])('may be %s', (_, store) => {
    expect(checkStore(store)).toBe(store)
  })

  it('may be an instance of a class', () => {
    class Store {
      async load() {
        return undefined
      }
      async save() {}
      async delete() {}
    }
    const store = new Store()
    expect(checkStore(store)).toBe(store)
  })

  it.each([null, 'directory', 7, [], () => undefined])('must be an object: %s', (store) => {
    expect(() => checkStore(store)).toThrow(new TypeError('store must be an object'))
  })

  it.each(['load', 'save', 'delete'])('must have %s', (method) => {
    for (const value of [undefined, null, 'text', {}]) {
      expect(() => checkStore({ ...memoryStore(), [method]: value })).toThrow(
        new TypeError(`store.${method} must be a function`),
      )
    }
  })
})

describe('integrityKey', () => {
  const store = memoryStore()
  const sharedStore = { ...memoryStore(), isShared: true }
  const key = 'k'.repeat(32)

  it.each([
    ['a secret', key, [key]],
    ['a list', [key, 'l'.repeat(32)], [key, 'l'.repeat(32)]],
    ['false', false, []],
    ['nothing', undefined, []],
    ['a secret of 32 bytes in fewer characters', 'ü'.repeat(16), ['ü'.repeat(16)]],
  ])('may be %s', (_, value, keys) => {
    expect(checkIntegrityKeys(value, store)).toEqual(keys)
  })

  it('is required with a shared store', () => {
    expect(() => checkIntegrityKeys(undefined, sharedStore)).toThrow(
      /^integrityKey is required with a store that is shared/,
    )
    expect(checkIntegrityKeys(key, sharedStore)).toEqual([key])
  })

  it('may be explicitly false with a shared store', () => {
    expect(checkIntegrityKeys(false, sharedStore)).toEqual([])
  })

  it.each(['k'.repeat(31), 'ü'.repeat(15), [key, 'short'], ['short', key]])('must have 32 bytes: %s', (value) => {
    expect(() => checkIntegrityKeys(value, store)).toThrow(new TypeError('integrityKey must have at least 32 bytes'))
  })

  it.each(['', [], [''], null, true, 7, {}, [7], Buffer.alloc(32)])('must not be %s', (value) => {
    expect(() => checkIntegrityKeys(value, store)).toThrow(TypeError)
    expect(() => checkIntegrityKeys(value, store)).toThrow('integrityKey')
  })
})

describe('a registry', () => {
  const integrityKey = 'k'.repeat(32)

  it.each<[string, RegistryOptions, string]>([
    ['a shared store and no integrityKey', { store: { ...memoryStore(), isShared: true } }, 'integrityKey is required'],
    ['a short integrityKey', { store: memoryStore(), integrityKey: 'short' }, 'at least 32 bytes'],
    [
      'publicKeyPath beside store',
      { store: memoryStore(), publicKeyPath: '/keys' },
      'publicKeyPath cannot be set beside',
    ],
    ['an empty publicKeyPath', { publicKeyPath: '' }, 'publicKeyPath must be a non-empty string'],
    ['a storeTimeout of 0', { store: memoryStore(), storeTimeout: 0 }, 'storeTimeout must be a whole number'],
    ['a storeTimeout of more than a minute', { store: memoryStore(), storeTimeout: 60_001 }, 'storeTimeout'],
  ])('is not made with %s', (_, options, message) => {
    expect(() => createRegistry(options)).toThrow(TypeError)
    expect(() => createRegistry(options)).toThrow(message)
    const provider = { issuer: 'https://issuer.example', audience: 'api' }
    expect(() => createAuthenticator({ ...provider, ...options })).toThrow(message)
  })

  it('is made with a shared store and false', async () => {
    const registry = createRegistry({ store: { ...memoryStore(), isShared: true }, integrityKey: false })
    expect(registry.statuses()).toEqual([])
    await registry.close()
  })

  it('is given to an authenticator without options of the store beside it', async () => {
    const registry = createRegistry()
    const provider = { issuer: 'https://issuer.example', audience: 'api', registry }
    const store = fileStore({ directory: temporaryDirectory() })
    for (const options of [{ store }, { publicKeyPath: '/keys' }, { storeTimeout: 100 }, { integrityKey }]) {
      expect(() => createAuthenticator({ ...provider, ...options })).toThrow(Object.keys(options)[0])
    }
    await registry.close()
  })
})

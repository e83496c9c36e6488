import { tmpdir } from 'node:os'
import { createManualClock, memoryStore as createMemoryStore } from '@jwks-auth/testing'
import { Agent } from 'undici'
import { describe, expect, it } from 'vitest'
import { createRegistry, type RegistryOptions } from '../../src/index.ts'
import { wrongProviderOptions } from './option-cases.ts'

const { now, setTimeout } = createManualClock()

describe('createRegistry', () => {
  it.each<[string, unknown, string]>([
    ['requireHttps', 0, 'requireHttps'],
    ['requireHttps', null, 'requireHttps'],
    ['allowedDomains', 'example.com', 'allowedDomains'],
    ['allowedDomains', ['example.com/path'], 'allowedDomains[0]'],
    ['allowedDomains', null, 'allowedDomains'],
    ['defaults', [], 'defaults'],
    ['defaults', null, 'defaults'],
    ['defaults', { issuer: 'https://issuer.example' }, 'defaults has no option "issuer"'],
    ['maxProviders', 0, 'maxProviders'],
    ['maxProviders', null, 'maxProviders'],
    ['maxProviders', 10_000_001, 'maxProviders'],
    ['maxConcurrentFetches', 0, 'maxConcurrentFetches'],
    ['maxConcurrentFetches', '32', 'maxConcurrentFetches'],
    ['maxConcurrentFetches', null, 'maxConcurrentFetches'],
    ['dispatcher', {}, 'dispatcher.request'],
    ['dispatcher', { dispatch: () => true }, 'dispatcher.request'],
    ['dispatcher', 'http://proxy.example', 'dispatcher'],
    ['clock', Date, 'clock'],
    ['clock', { now, setTimeout }, 'clock.monotonic'],
    ['clock', { now, monotonic: now }, 'clock.setTimeout'],
    ['clock', { setTimeout }, 'clock.now'],
    ['clok', {}, 'createRegistry has no option "clok"; did you mean "clock"?'],
    ['storeTimeout', 100, 'storeTimeout has no effect without store or publicKeyPath'],
    ['integrityKey', 'k'.repeat(32), 'integrityKey has no effect without store or publicKeyPath'],
    ['integrityKey', false, 'integrityKey has no effect without store or publicKeyPath'],
    ['defaults', { keyLifetime: 'immutable', minTtl: 5_000 }, 'defaults.minTtl has no effect beside keyLifetime'],
  ])('does not take %s: %j', (name, value, named) => {
    const create = () => createRegistry({ [name]: value })
    expect(create).toThrow(TypeError)
    expect(create).toThrow(named)
  })

  it.each(wrongProviderOptions)('does not take defaults with %s: %s', (name, value, named) => {
    const create = () => createRegistry({ requireHttps: false, defaults: { [name]: value } })
    expect(create).toThrow(TypeError)
    expect(create).toThrow(`defaults.${named}`)
  })

  it.each([['network', 'any'] as const, ['allowAddresses', ['127.0.0.1']] as const, ['ca', 'PEM'] as const])(
    'does not take defaults.%s beside a dispatcher, which makes the connections itself',
    async (name, value) => {
      const dispatcher = new Agent()
      const create = () => createRegistry({ dispatcher, defaults: { [name]: value } })
      expect(create).toThrow(TypeError)
      expect(create).toThrow(`defaults.${name}`)
      await dispatcher.close()
    },
  )

  it.each<[string, RegistryOptions]>([
    ['store', { store: createMemoryStore() }],
    ['publicKeyPath', { publicKeyPath: tmpdir() }],
  ])('does not take an integrityKey that is explicitly undefined beside %s', (_, options) => {
    const integrityKey = process.env['JWKS_AUTH_TEST_UNSET']
    const create = () => createRegistry({ ...options, integrityKey })
    expect(create).toThrow(TypeError)
    expect(create).toThrow('integrityKey is undefined: is an environment variable missing?')
  })

  it('takes an integrityKey that is left out, or false, beside a store', async () => {
    for (const options of [{}, { integrityKey: false }] as const) {
      const registry = createRegistry({ store: createMemoryStore(), ...options })
      expect(registry.statuses()).toEqual([])
      await registry.close()
    }
  })

  it.each([null, [], 'options', 7, () => undefined])('does not take %j for options', (options) => {
    expect(() => createRegistry(options as RegistryOptions)).toThrow(TypeError)
  })

  it('takes undefined for absent, everywhere', async () => {
    const registry = createRegistry({
      requireHttps: undefined,
      allowedDomains: undefined,
      defaults: { minTtl: undefined, retryPolicy: { maxRetries: undefined } },
      maxProviders: undefined,
      maxConcurrentFetches: undefined,
      dispatcher: undefined,
      clock: undefined,
      ...{ unknown: undefined },
    })
    expect(registry.statuses()).toEqual([])
    await registry.close()
  })
})

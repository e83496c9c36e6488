import { rmSync } from 'node:fs'
import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { Registry } from '../../../src/index.ts'
import {
  type Process,
  provider,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
} from '../process.ts'
import { lifetimes, plain, watchedFileStore } from './places.ts'

/** Within this long by its own clock every process refuses what one has revoked. */
const bound = 5_000

const revoke = (registry: Registry, kid: string) => registry.revokeKey(tenant, provider, kid)
const unrevoke = (registry: Registry, kid: string) => registry.unrevokeKey(tenant, provider, kid)

async function setScene(keyLifetime: (typeof lifetimes)[number] = 'http') {
  const issuer = await startIssuer()
  await issuer.addKey()
  const directory = temporaryDirectory()
  const { store, idle } = watchedFileStore(directory)
  // A disk knows nothing of the manual clock: it must not seem slow because the test is fast.
  const options = () => ({ issuer, registry: { store, storeTimeout: 60_000 }, provider: { keyLifetime } })
  const first = await startProcessWithKeys(options())
  const second = await startProcess(options())

  /** Lets five seconds pass by the clock of one process. */
  async function passBound({ clock }: Process): Promise<void> {
    for (let passed = 0; passed < bound; passed += 500) {
      await clock.advance(500)
      await idle()
    }
  }

  return { issuer, directory, first, second, passBound, start: async () => await startProcess(options()) }
}

describe.each(lifetimes)('a revocation by another process on a directory, with keyLifetime %s', (keyLifetime) => {
  it('is in force within five seconds, without a message and without a fetch', async () => {
    const { issuer, first, second, passBound } = await setScene(keyLifetime)
    const token = await issuer.sign()
    expect(await second.verdict(token)).toBe('accepted')
    issuer.clearRequests()
    await revoke(first.registry, 'key-1')
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-2'])
    expect(await second.verdict(token)).toBe('ERR_KEY_REVOKED')
    expect(await second.verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
    expect(second.told('key-revoked')).toEqual([{ tenant, provider, kid: 'key-1' }])
    expect(issuer.requestCount()).toBe(0)
  })

  it('is in force again where a process repeats it that has not heard of its lifting', async () => {
    const { issuer, first, second, passBound } = await setScene(keyLifetime)
    await revoke(first.registry, 'key-1')
    await passBound(second)
    await unrevoke(first.registry, 'key-1')
    await revoke(second.registry, 'key-1')
    await passBound(first)
    await passBound(second)
    for (const { verdict } of [first, second]) expect(await verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
  })

  it('is in force for tokens without kid, cached ones too, and for the material under another kid', async () => {
    const { issuer, first, second, passBound } = await setScene(keyLifetime)
    const nameless = await issuer.sign({}, { kid: undefined })
    expect(await second.verdict(nameless)).toBe('accepted')
    await revoke(first.registry, 'key-1')
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-2'])
    expect(await second.verdict(nameless)).toBe('ERR_SIGNATURE_INVALID')
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, kid: 'renamed' }, issuer.keys[1]?.publicJwk] })
    await second.registry.refresh(tenant, provider)
    expect(second.kids()).toEqual(['key-2'])
  })

  it('is taken back within five seconds as well', async () => {
    const { issuer, first, second, passBound } = await setScene(keyLifetime)
    await revoke(first.registry, 'key-1')
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-2'])
    issuer.clearRequests()
    await unrevoke(first.registry, 'key-1')
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-1', 'key-2'])
    expect(second.told('key-unrevoked')).toEqual([{ tenant, provider, kid: 'key-1' }])
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    expect(issuer.requestCount()).toBe(0)
  })

  it('is made again after it was taken back, and in force again', async () => {
    const { first, second, passBound } = await setScene(keyLifetime)
    await revoke(first.registry, 'key-1')
    await unrevoke(first.registry, 'key-1')
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-1', 'key-2'])
    await revoke(second.registry, 'key-1')
    await passBound(first)
    expect(first.kids().toSorted()).toEqual(['key-2'])
    expect(second.kids()).toEqual(['key-2'])
  })
})

describe('revocations by several processes at the same time', () => {
  it('are all in force everywhere: no process overwrites what another has written', async () => {
    const { issuer, first, second, start, passBound } = await setScene()
    await issuer.addKey()
    await Promise.all([first, second].map(({ registry }) => registry.refresh(tenant, provider)))
    await Promise.all([revoke(first.registry, 'key-1'), revoke(second.registry, 'key-3'), revoke(first.registry, 'x')])
    await passBound(first)
    expect(first.kids().toSorted()).toEqual(['key-2'])
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-2'])
    const third = await start()
    expect(third.kids()).toEqual(['key-2'])
  })

  it('of the same kid are lifted together by a process that knows of both', async () => {
    const { first, second, start, passBound } = await setScene()
    await Promise.all([revoke(first.registry, 'key-1'), revoke(second.registry, 'key-1')])
    expect(await unrevoke(first.registry, 'key-1')).toBe(true)
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-1', 'key-2'])
    expect((await start()).kids().toSorted()).toEqual(['key-1', 'key-2'])
  })

  it('on a store of three methods are all there after the next load of each', async () => {
    const issuer = await startIssuer()
    for (let made = 1; made < 3; made += 1) await issuer.addKey()
    const store = memoryStore()
    const make = () => startProcess({ issuer, registry: { store: plain(store) } })
    const [first, second] = [await make(), await make()]
    await Promise.all([first.resolve(), second.resolve()])
    await Promise.all([revoke(first.registry, 'key-1'), revoke(second.registry, 'key-3')])
    for (const { registry } of [first, second, first]) await registry.restore()
    const third = await make()
    for (const { kids } of [first, second, third]) expect(kids()).toEqual(['key-2'])
  })
})

describe('a directory that is deleted', () => {
  it('gets the revocations back from a process that runs, and no key that is revoked', async () => {
    const { issuer, directory, first, start, passBound } = await setScene()
    await revoke(first.registry, 'key-1')
    await passBound(first)
    rmSync(directory, { recursive: true })
    await passBound(first)
    const third = await start()
    expect(await third.verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
    await third.resolve()
    expect(third.kids()).toEqual(['key-2'])
  })

  it('leaves every process that runs what it has', async () => {
    const { directory, first, second, passBound } = await setScene()
    await revoke(first.registry, 'key-1')
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-2'])
    rmSync(directory, { recursive: true })
    for (const process of [first, second]) {
      await passBound(process)
      await process.registry.restore()
      expect(process.kids()).toEqual(['key-2'])
    }
  })

  it('brings no key back that was revoked and taken back nowhere, however the processes go on', async () => {
    const { issuer, directory, first, second, passBound } = await setScene('immutable')
    await revoke(first.registry, 'key-1')
    await passBound(second)
    expect(second.kids().toSorted()).toEqual(['key-2'])
    rmSync(directory, { recursive: true })
    await issuer.addKey()
    await second.resolve('key-3')
    await second.registry.persistAll()
    await passBound(second)
    await first.registry.restore()
    expect([first.kids(), second.kids()]).toEqual([
      ['key-2', 'key-3'],
      ['key-2', 'key-3'],
    ])
  })
})

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { fileStore, type Registry, StoreFailedError } from '../../../src/index.ts'
import { apartStore } from '../../persistence/revocation-scene.ts'
import {
  integrityKey,
  pass,
  provider,
  registrationOf,
  rejectionOf,
  settle,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
  until,
} from '../process.ts'
import { plain } from './places.ts'

const revoke = (registry: Registry, kid: string) => registry.revokeKey(tenant, provider, kid)

async function startIssuerWithTwo() {
  const issuer = await startIssuer()
  await issuer.addKey()
  return issuer
}

/** A store that can be made to fail. */
const failable = {
  'a store that keeps revocations apart': () => apartStore(),
  'a store of three methods': () => {
    const store = memoryStore()
    return { store: plain(store), fail: (isFailing: boolean) => (isFailing ? store.fail() : store.recover()) }
  },
}

describe.each(Object.entries(failable))('on %s that fails', (_, make) => {
  it('revokeKey rejects, holds here all the same, and is written when the store returns', async () => {
    const issuer = await startIssuerWithTwo()
    const { store, fail } = make()
    const { registry, clock, verdict, kids, told } = await startProcessWithKeys({ issuer, registry: { store } })
    fail(true)
    expect(await rejectionOf(revoke(registry, 'key-1'))).toBeInstanceOf(StoreFailedError)
    expect(await verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
    expect(kids()).toEqual(['key-2'])
    expect(told('key-revoked')).toHaveLength(1)
    expect(told('store-failed').some(({ operation }) => operation === 'revoke')).toBe(true)
    fail(false)
    await pass(clock, 10_000)
    await until(() => told('store-recovered').length > 0)
    await settle()
    const second = await startProcess({ issuer, registry: { store } })
    expect(await second.verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
  })

  it('unrevokeKey rejects, holds here all the same, and is written when the store returns', async () => {
    const issuer = await startIssuerWithTwo()
    const { store, fail } = make()
    const { registry, clock, kids, told } = await startProcessWithKeys({ issuer, registry: { store } })
    await revoke(registry, 'key-1')
    fail(true)
    const error = await rejectionOf(registry.unrevokeKey(tenant, provider, 'key-1'))
    expect(error).toMatchObject({ code: 'ERR_STORE_FAILED' })
    expect(kids()).toEqual(['key-1', 'key-2'])
    fail(false)
    await pass(clock, 10_000)
    await until(() => told('store-recovered').length > 0)
    await settle()
    expect(kids()).toEqual(['key-1', 'key-2'])
    const second = await startProcess({ issuer, registry: { store } })
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
  })

  it('no request fails at the start, and the revocations apply when the store returns', async () => {
    const issuer = await startIssuerWithTwo()
    const { store, fail } = make()
    await revoke((await startProcessWithKeys({ issuer, registry: { store } })).registry, 'key-1')
    fail(true)
    const second = await startProcess({ issuer, registry: { store } })
    const token = await issuer.sign()
    expect(await second.verdict(token)).toBe('accepted')
    fail(false)
    await pass(second.clock, 10_000)
    await until(() => second.kids().length === 1)
    expect(await second.verdict(token)).toBe('ERR_KEY_REVOKED')
  })

  it('revokeKey of what was never held is written with its material as soon as both are known', async () => {
    const issuer = await startIssuerWithTwo()
    const { store, fail } = make()
    const { registry, clock, resolve } = await startProcess({ issuer, registry: { store } })
    fail(true)
    await rejectionOf(revoke(registry, 'key-1'))
    await resolve()
    fail(false)
    await pass(clock, 10_000)
    await settle()
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, kid: 'renamed' }, issuer.keys[1]?.publicJwk] })
    const second = await startProcess({ issuer, registry: { store } })
    await second.registry.refresh(tenant, provider)
    expect(second.kids()).toEqual(['key-2'])
  })
})

describe('a store that hangs', () => {
  it('has revokeKey reject in the end; it is in force before', async () => {
    const issuer = await startIssuerWithTwo()
    const store = memoryStore()
    const { registry, clock, kids } = await startProcessWithKeys({ issuer, registry: { store: plain(store) } })
    store.hang()
    const revoked = rejectionOf(revoke(registry, 'key-1'))
    await until(() => kids().length === 1)
    await clock.advance(5_000)
    expect(await revoked).toMatchObject({ code: 'ERR_STORE_FAILED' })
    store.recover()
  })
})

describe('a record that was tampered with', () => {
  it.each([
    ['changed', (text: string) => text.replace('key-1', 'key-9')],
    ['cut off', (text: string) => text.slice(0, -20)],
    ['emptied', () => ''],
    ['signed without the key', (text: string) => text.replace(/hmac-sha256:[^"]+/, 'sha256:AAAA')],
  ])('in a directory is refused with an event, and the others hold: %s', async (_, tamper) => {
    const issuer = await startIssuerWithTwo()
    await issuer.addKey()
    const directory = temporaryDirectory()
    const registry = () => ({ store: fileStore({ directory }), integrityKey })
    const first = await startProcessWithKeys({ issuer, registry: registry() })
    await revoke(first.registry, 'key-1')
    const folder = join(directory, 'revoked')
    const [file = ''] = readdirSync(folder).map((name) => join(folder, name))
    await revoke(first.registry, 'key-2')
    writeFileSync(file, tamper(readFileSync(file, 'utf8')))
    const second = await startProcess({ issuer, registry: registry() })
    expect(second.kids()).toEqual(['key-1', 'key-3'])
    expect(second.told('snapshot-refused')).toHaveLength(1)
    expect(second.told('snapshot-refused')[0]).toMatchObject({ tenant: '*', provider: '*' })
  })

  it('is repaired by a process that runs', async () => {
    const issuer = await startIssuerWithTwo()
    const directory = temporaryDirectory()
    const registry = () => ({ store: fileStore({ directory }), integrityKey, storeTimeout: 60_000 })
    const first = await startProcessWithKeys({ issuer, registry: registry() })
    await revoke(first.registry, 'key-1')
    await pass(first.clock, 5_000)
    const folder = join(directory, 'revoked')
    const [file = ''] = readdirSync(folder).map((name) => join(folder, name))
    const whole = readFileSync(file, 'utf8')
    writeFileSync(file, whole.slice(0, -20))
    // The file is read in real time; then it is written back after a random part of a virtual second. Virtual time must
    // not run ahead of a slow disk.
    for (let second = 0; second < 60 && readFileSync(file, 'utf8').length !== whole.length; second += 1) {
      await pass(first.clock, 1_000)
      await sleep(10)
    }
    await until(() => readFileSync(file, 'utf8').length === whole.length)
    expect(first.kids()).toEqual(['key-2'])
    expect((await startProcess({ issuer, registry: registry() })).kids()).toEqual(['key-2'])
  })

  it("does nothing to another tenant's keys when it is copied under another name", async () => {
    const issuer = await startIssuerWithTwo()
    const directory = temporaryDirectory()
    const registry = () => ({ store: fileStore({ directory }), integrityKey })
    const first = await startProcessWithKeys({ issuer, registry: registry() })
    await revoke(first.registry, 'key-1')
    const folder = join(directory, 'revoked')
    const [file = ''] = readdirSync(folder).map((name) => join(folder, name))
    writeFileSync(join(folder, `${'0'.repeat(32)}.json`), readFileSync(file))
    const second = await startProcess({ issuer, registry: registry() })
    await second.registry.register(registrationOf(issuer, { tenant: 'globex' }))
    await second.registry.resolve('globex', provider, 'key-1')
    expect(second.registry.status('globex', provider).kids).toEqual(['key-1', 'key-2'])
    expect(second.kids()).toEqual(['key-2'])
  })

  it("of another tenant is refused where it was copied over a tenant's list, and what is known holds", async () => {
    const issuer = await startIssuerWithTwo()
    const store = memoryStore()
    const registry = () => ({ store: plain(store), integrityKey })
    const first = await startProcessWithKeys({ issuer, registry: registry() })
    await first.registry.register(registrationOf(issuer, { tenant: 'globex' }))
    await revoke(first.registry, 'key-1')
    await first.registry.revokeKey('globex', provider, 'key-2')
    const list = { tenant, provider: '.revoked.main' }
    store.put(list, await store.load({ ...list, tenant: 'globex' }))
    await first.registry.restore()
    expect(first.told('snapshot-refused')).toContainEqual({ tenant, provider, reason: 'binding' })
    expect(first.kids()).toEqual(['key-2'])
    expect((await startProcess({ issuer, registry: registry() })).kids()).toEqual(['key-2'])
  })
})

import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { memoryStore, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it, vi } from 'vitest'
import { fileStore, type Registry } from '../../../src/index.ts'
import {
  provider,
  registrationOf,
  settle,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  temporaryDirectory,
  tenant,
} from '../process.ts'
import { everywhere, placeOf, plain } from './places.ts'

const revoke = (registry: Registry, kid: string) => registry.revokeKey(tenant, provider, kid)

async function setScene(place: (typeof everywhere)[number][1], keyLifetime: (typeof everywhere)[number][0]) {
  const issuer = await startIssuer()
  await issuer.addKey()
  const registry = placeOf(place)
  const options = () => ({ issuer, registry: registry(), provider: { keyLifetime } })
  return {
    issuer,
    start: async () => await startProcess(options()),
    startImpatiently: async () => await startProcess({ ...options(), isImpatient: true }),
    startWithKeys: async () => await startProcessWithKeys(options()),
  }
}

/** The set with `key-1` under another name. */
function renamed(issuer: TestIssuer) {
  return { keys: [{ ...issuer.signingKey.publicJwk, kid: 'renamed' }, ...issuer.jwks.keys.slice(1)] }
}

describe.each(everywhere)('a revoked key, with keyLifetime %s and %s', (keyLifetime, place) => {
  it('is refused after a restart, without a fetch', async () => {
    const { issuer, startWithKeys, start } = await setScene(place, keyLifetime)
    await revoke((await startWithKeys()).registry, 'key-1')
    issuer.clearRequests()
    const { kids, verdict } = await start()
    expect(kids()).toEqual(['key-2'])
    expect(await verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
    expect(await verdict(await issuer.sign({}, { kid: undefined }))).toBe('ERR_SIGNATURE_INVALID')
    // That was a refetch for keys without a kid.
    expect(issuer.requestCount()).toBe(1)
  })

  it('is refused by the first request after a restart, which waits for the store only', async () => {
    const { issuer, startWithKeys, startImpatiently } = await setScene(place, keyLifetime)
    await revoke((await startWithKeys()).registry, 'key-1')
    issuer.clearRequests()
    const { verdict } = await startImpatiently()
    expect(await verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
    expect(issuer.requestCount()).toBe(0)
  })

  it('is refused after a restart under another kid, and other material under its kid', async () => {
    const { issuer, startWithKeys, start } = await setScene(place, keyLifetime)
    await revoke((await startWithKeys()).registry, 'key-1')
    issuer.setJwks(renamed(issuer))
    const second = await start()
    await second.registry.refresh(tenant, provider)
    expect(second.kids()).toEqual(['key-2'])
    issuer.setJwks(undefined)
    await issuer.rotate({ kid: 'key-1' })
    const third = await start()
    await third.registry.refresh(tenant, provider)
    expect(third.kids()).toEqual(['key-2'])
    expect(await third.verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
  })

  it('is refused after a restart by material that was learned after it was revoked', async () => {
    const { issuer, start } = await setScene(place, keyLifetime)
    const first = await start()
    await revoke(first.registry, 'key-1')
    await first.resolve()
    issuer.setJwks(renamed(issuer))
    await first.registry.refresh(tenant, provider)
    await first.registry.persistAll()
    // The learned material is written in the background.
    await vi.waitFor(async () => {
      const second = await start()
      await second.registry.refresh(tenant, provider)
      expect(second.kids()).toEqual(['key-2'])
    }, 5_000)
  })

  it('is refused after unregister, restart and register', async () => {
    const { issuer, startWithKeys, start } = await setScene(place, keyLifetime)
    const { registry } = await startWithKeys()
    await revoke(registry, 'key-1')
    await registry.unregister(tenant, provider)
    const second = await start()
    await second.resolve()
    expect(second.kids()).toEqual(['key-2'])
    await second.registry.unregister(tenant, provider)
    await second.registry.register(registrationOf(issuer, { keyLifetime }))
    await second.resolve()
    expect(second.kids()).toEqual(['key-2'])
  })

  it('is refused after restore()', async () => {
    const { startWithKeys } = await setScene(place, keyLifetime)
    const { registry, kids } = await startWithKeys()
    await revoke(registry, 'key-1')
    await registry.restore()
    expect(kids()).toEqual(['key-2'])
  })

  it('is good again after a restart where that was taken back', async () => {
    const { issuer, startWithKeys, start } = await setScene(place, keyLifetime)
    const { registry } = await startWithKeys()
    await revoke(registry, 'key-1')
    expect(await registry.unrevokeKey(tenant, provider, 'key-1')).toBe(true)
    const { kids, verdict } = await start()
    expect(kids().toSorted()).toEqual(['key-1', 'key-2'])
    expect(await verdict(await issuer.sign())).toBe('accepted')
  })

  it('is good again where a process takes it back that did not revoke it', async () => {
    const { issuer, startWithKeys, start } = await setScene(place, keyLifetime)
    await revoke((await startWithKeys()).registry, 'key-1')
    const second = await start()
    expect(await second.registry.unrevokeKey(tenant, provider, 'key-1')).toBe(true)
    expect(await second.verdict(await issuer.sign())).toBe('accepted')
    expect((await start()).kids().toSorted()).toEqual(['key-1', 'key-2'])
  })

  it('is good again where a process takes it back that has not heard of it yet', async () => {
    const { startWithKeys, start } = await setScene(place, keyLifetime)
    const first = await startWithKeys()
    const second = await start()
    await revoke(first.registry, 'key-1')
    expect(await second.registry.unrevokeKey(tenant, provider, 'key-1')).toBe(true)
    expect((await start()).kids().toSorted()).toEqual(['key-1', 'key-2'])
  })

  it('of one tenant is a good key of another, after a restart as well', async () => {
    const { issuer, startWithKeys, start } = await setScene(place, keyLifetime)
    await revoke((await startWithKeys()).registry, 'key-1')
    const { registry } = await start()
    await registry.register(registrationOf(issuer, { keyLifetime, tenant: 'globex' }))
    await expect(registry.resolve('globex', provider, 'key-1')).resolves.toHaveProperty('keys')
  })
})

describe('what is written down', () => {
  it('is a file for each revocation in the directory revoked', async () => {
    const issuer = await startIssuer()
    const directory = temporaryDirectory()
    const { registry } = await startProcess({ issuer, registry: { store: fileStore({ directory }) } })
    await Promise.all(['a', 'b', 'c'].map((kid) => revoke(registry, kid)))
    expect(readdirSync(join(directory, 'revoked')).filter((name) => /^[0-9a-f]{32}\.json$/.test(name))).toHaveLength(3)
    await registry.unrevokeKey(tenant, provider, 'b')
    expect(readdirSync(join(directory, 'revoked'))).toHaveLength(3)
  })

  it('is a list under .revoked.NAME in a store of three methods', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    const { registry } = await startProcess({ issuer, registry: { store: plain(store) } })
    await revoke(registry, 'a')
    expect(store.snapshots.map(({ key }) => key)).toEqual([{ tenant, provider: '.revoked.main' }])
  })

  it('is there when revokeKey is done', async () => {
    const issuer = await startIssuer()
    const store = memoryStore()
    const { registry } = await startProcess({ issuer, registry: { store: plain(store) } })
    store.hang()
    let isDone = false
    const revoked = revoke(registry, 'a').then(() => {
      isDone = true
    })
    await settle()
    expect(isDone).toBe(false)
    store.recover()
    await revoked
    expect(store.snapshots).toHaveLength(1)
  })

  it('remains when the keys are deleted from the store', async () => {
    const issuer = await startIssuer()
    const directory = temporaryDirectory()
    const first = await startProcessWithKeys({ issuer, registry: { store: fileStore({ directory }) } })
    await revoke(first.registry, 'key-1')
    for (const name of readdirSync(directory)) if (name.startsWith('jwks-')) rmSync(join(directory, name))
    const second = await startProcess({ issuer, registry: { store: fileStore({ directory }) } })
    expect(await second.verdict(await issuer.sign())).toBe('ERR_KEY_REVOKED')
  })
})

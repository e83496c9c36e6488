import { memoryStore, type TestIssuer } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { Registry, SnapshotStore } from '../../../src/index.ts'
import { apartStore } from '../../persistence/revocation-scene.ts'
import {
  type Process,
  pass,
  provider,
  registrationOf,
  settle,
  startIssuer,
  startProcess,
  startProcessWithKeys,
  tenant,
  until,
} from '../process.ts'
import { lifetimes, plain } from './places.ts'

const revoke = (registry: Registry, kid: string) => registry.revokeKey(tenant, provider, kid)

async function startIssuerWithTwo(): Promise<TestIssuer> {
  const issuer = await startIssuer()
  await issuer.addKey()
  return issuer
}

/** A store whose revocations take as long as the test says; its snapshots do not. */
function slowRevocations(store: SnapshotStore) {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const { revocations } = store
  if (revocations !== undefined) {
    const load = async () => {
      await released
      return await revocations.load()
    }
    return { store: { ...store, revocations: { ...revocations, load } }, release }
  }
  const load: SnapshotStore['load'] = async (key) => {
    if (key.provider.startsWith('.revoked.')) await released
    return await store.load(key)
  }
  return { store: { ...store, load }, release }
}

describe.each(lifetimes)('revokeKey, with keyLifetime %s', (keyLifetime) => {
  it('refuses at once, cached tokens too, without a fetch', async () => {
    const issuer = await startIssuerWithTwo()
    const store = memoryStore()
    const { registry, verdict } = await startProcessWithKeys({ issuer, registry: { store }, provider: { keyLifetime } })
    const [named, nameless] = [await issuer.sign(), await issuer.sign({}, { kid: undefined })]
    expect([await verdict(named), await verdict(nameless)]).toEqual(['accepted', 'accepted'])
    issuer.clearRequests()
    store.hang()
    const revoking = revoke(registry, 'key-1')
    expect(await verdict(named)).toBe('ERR_KEY_REVOKED')
    expect(issuer.requestCount()).toBe(0)
    store.recover()
    await revoking
    expect(await verdict(nameless)).toBe('ERR_SIGNATURE_INVALID')
  })

  it.each([
    ['the body', false],
    ['a 304', true],
  ])('is not undone by a fetch begun before and answered after: %s', async (_, isKnown) => {
    const issuer = await startIssuerWithTwo()
    const { registry, kids, resolve } = await startProcess({ issuer, provider: { keyLifetime } })
    if (isKnown) await resolve()
    const before = issuer.requestCount()
    let answer = (): void => undefined
    const held = new Promise<void>((done) => {
      answer = done
    })
    issuer.answerOnce('jwks', async () => {
      await held
      return { kind: 'normal' }
    })
    const refreshed = registry.refresh(tenant, provider)
    await issuer.waitForRequests(before + 1)
    await revoke(registry, 'key-1')
    answer()
    expect(await refreshed).toMatchObject({ ok: true, modified: !isKnown })
    expect(kids()).toEqual(['key-2'])
  })

  it('is in force for keys that were dropped from memory and are loaded or fetched again', async () => {
    const issuer = await startIssuerWithTwo()
    const options = { issuer, registry: { store: memoryStore(), maxProviders: 1 }, provider: { keyLifetime } }
    const { registry, kids, resolve } = await startProcessWithKeys(options)
    await revoke(registry, 'key-1')
    await registry.register(registrationOf(issuer, { keyLifetime, provider: 'other' }))
    await registry.resolve(tenant, 'other')
    await settle()
    expect(kids()).toEqual([])
    expect(await resolve()).toEqual(['key-2'])
  })

  it('of what is not held learns the material from the first set that has the kid', async () => {
    const issuer = await startIssuerWithTwo()
    const { registry, kids, resolve } = await startProcess({ issuer, provider: { keyLifetime } })
    await revoke(registry, 'key-1')
    await resolve()
    issuer.setJwks({ keys: [{ ...issuer.signingKey.publicJwk, kid: 'renamed' }, issuer.keys[1]?.publicJwk] })
    await registry.refresh(tenant, provider)
    expect(kids()).toEqual(['key-2'])
  })
})

describe.each(lifetimes)('at a restart with a warm snapshot, with keyLifetime %s', (keyLifetime) => {
  it.each(['a store that keeps them apart', 'a store of three methods'])(
    'a revoked key is not served for a moment, however slowly the revocations load: %s',
    async (place) => {
      const issuer = await startIssuerWithTwo()
      const store = place.includes('apart') ? apartStore().store : plain(memoryStore())
      const first = await startProcessWithKeys({ issuer, registry: { store }, provider: { keyLifetime } })
      const [token, other] = [await issuer.sign(), await issuer.sign({}, { key: 'key-2' })]
      await revoke(first.registry, 'key-1')
      await issuer.stop()
      const slow = slowRevocations(store)
      const options = { issuer, registry: { store: slow.store }, provider: { keyLifetime } }
      const second = await startProcess({ ...options, isImpatient: true })
      const verdicts: Promise<string>[] = []
      for (let step = 0; step < 20; step += 1) {
        verdicts.push(second.verdict(token))
        expect(second.kids()).toEqual([])
        await second.clock.advance(100)
        await settle(5)
      }
      slow.release()
      await until(() => second.told('key-revoked').length > 0)
      expect(await second.verdict(token)).toBe('ERR_KEY_REVOKED')
      await pass(second.clock, 10_000)
      expect(await second.verdict(other)).toBe('accepted')
      expect(second.kids()).toEqual(['key-2'])
      expect(await Promise.all(verdicts)).not.toContain('accepted')
    },
  )
})

describe('a revocation that comes to be known', () => {
  it('while a request waits refuses that request as revoked, without a refetch', async () => {
    const issuer = await startIssuerWithTwo()
    const store = memoryStore()
    const first: Process = await startProcessWithKeys({ issuer, registry: { store } })
    await revoke(first.registry, 'key-1')
    issuer.clearRequests()
    store.hang()
    const second = await startProcess({ issuer, registry: { store }, isImpatient: true })
    const verdict = second.verdict(await issuer.sign())
    await settle()
    store.recover()
    expect(await verdict).toBe('ERR_KEY_REVOKED')
    expect(issuer.requestCount()).toBe(0)
  })

  it('from a store that was away refuses what was served meanwhile', async () => {
    const issuer = await startIssuerWithTwo()
    const { store, fail } = apartStore()
    await revoke((await startProcessWithKeys({ issuer, registry: { store } })).registry, 'key-1')
    fail(true)
    const second = await startProcess({ issuer, registry: { store } })
    const token = await issuer.sign()
    expect(await second.verdict(token)).toBe('accepted')
    fail(false)
    await pass(second.clock, 5_000)
    await until(() => second.told('store-recovered').length > 0)
    await until(() => second.kids().length === 1)
    expect(await second.verdict(token)).toBe('ERR_KEY_REVOKED')
  })
})

import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import type { Snapshot, SnapshotStore } from '../../../src/index.ts'
import { createSnapshotSigner } from '../../../src/stores/integrity.ts'
import { integrityKey, key, provider, registrationOf, settle, startIssuer, tenant, until } from '../process.ts'
import { registryOn } from './registry-on.ts'

/** A store whose saves end when the test says so. */
function heldStore() {
  const saves: { readonly snapshot: Snapshot; end(error?: Error): void }[] = []
  const log: string[] = []
  const store: SnapshotStore = {
    load: async () => undefined,
    save: (_, snapshot) =>
      new Promise((resolve, reject) => {
        log.push('save begins')
        const end = (error?: Error): void => {
          log.push('save ends')
          if (error === undefined) resolve()
          else reject(error)
        }
        saves.push({ snapshot, end })
      }),
    delete: async () => void log.push('delete'),
  }
  return { store, saves, log }
}

/** The `kid`s in a snapshot. */
function kidsIn(snapshot: unknown): readonly unknown[] {
  const verified = createSnapshotSigner([integrityKey]).verify(snapshot)
  const { entry } = Object(verified.ok ? verified.payload : undefined)
  return entry.keys.map(({ kid }: { readonly kid: string }) => kid)
}

async function scene(store: SnapshotStore) {
  const issuer = await startIssuer()
  const started = registryOn({ store, integrityKey })
  await started.registry.register(registrationOf(issuer))
  return { issuer, ...started }
}

describe('what was fetched', () => {
  it('is written at once, and the request does not wait for it', async () => {
    const { store, saves } = heldStore()
    const { registry } = await scene(store)
    expect((await registry.resolve(tenant, provider)).keys).toHaveLength(1)
    await until(() => saves.length === 1)
    expect(kidsIn(saves[0]?.snapshot)).toEqual(['key-1'])
  })

  it('is written after each refresh, a 304 included: it has new times', async () => {
    const store = memoryStore()
    const { registry, clock, told } = await scene(store)
    await registry.resolve(tenant, provider)
    await until(() => told('snapshot-saved').length === 1)
    const [first] = store.snapshots
    await clock.advance(60_000)
    expect(await registry.refresh(tenant, provider)).toMatchObject({ ok: true, modified: false })
    await until(() => told('snapshot-saved').length === 2)
    expect(store.snapshots).toHaveLength(1)
    expect(store.snapshots[0]).not.toEqual(first)
  })

  it('is not written when a refresh has failed', async () => {
    const store = memoryStore()
    const { issuer, registry, told } = await scene(store)
    await registry.resolve(tenant, provider)
    await until(() => told('snapshot-saved').length === 1)
    issuer.answerAlways('jwks', { kind: 'reply', status: 503 })
    await registry.refresh(tenant, provider)
    await settle()
    expect(store.calls.filter(({ method }) => method === 'save')).toHaveLength(1)
  })

  it('is written once more for any number of changes during a write, and the last state stays', async () => {
    const { store, saves } = heldStore()
    const { issuer, registry } = await scene(store)
    await registry.resolve(tenant, provider)
    await until(() => saves.length === 1)
    for (const kid of ['b', 'c', 'd']) {
      await issuer.rotate({ kid })
      await registry.refresh(tenant, provider)
    }
    expect(saves).toHaveLength(1)
    saves[0]?.end()
    await until(() => saves.length === 2)
    saves[1]?.end()
    await settle()
    expect(saves.map(({ snapshot }) => kidsIn(snapshot))).toEqual([['key-1'], ['key-1', 'b', 'c', 'd']])
  })

  it('is written without a key whose private half was published since', async () => {
    const store = memoryStore()
    const { issuer, registry, told } = await scene(store)
    await issuer.addKey({ kid: 'other' })
    await registry.resolve(tenant, provider)
    await until(() => told('snapshot-saved').length === 1)
    const [, other] = issuer.jwks.keys
    issuer.setJwks({ keys: [{ ...other, d: 'AAAA' }] })
    await registry.refresh(tenant, provider)
    await until(() => told('snapshot-saved').length === 2)
    expect(kidsIn(store.snapshots[0]?.snapshot)).toEqual(['key-1'])
  })

  it('has public members only, and says when and from where it came', async () => {
    const store = memoryStore()
    const { issuer, registry, told } = await scene(store)
    await registry.resolve(tenant, provider)
    await until(() => told('snapshot-saved').length === 1)
    const { payload } = Object(store.snapshots[0]?.snapshot)
    expect(JSON.parse(payload)).toMatchObject({
      kind: 'snapshot',
      binding: { ...key, issuers: [issuer.issuer], jwksUri: issuer.jwksUri, keyLifetime: 'http' },
      entry: {
        version: 1,
        fetchedAt: '2025-01-01T00:00:00.000Z',
        freshUntil: '2025-01-01T00:10:00.000Z',
        staleUntil: '2025-01-01T01:10:00.000Z',
      },
    })
    expect(Object.keys(JSON.parse(payload).entry.keys[0])).not.toContain('d')
  })
})

describe('unregister', () => {
  it('removes the snapshot, and only that one', async () => {
    const store = memoryStore()
    const { issuer, registry, told } = await scene(store)
    await registry.register({ ...registrationOf(issuer), provider: 'other' })
    for (const name of [provider, 'other']) await registry.resolve(tenant, name)
    await until(() => told('snapshot-saved').length === 2)
    expect(await registry.unregister(tenant, provider)).toBe(true)
    expect(store.snapshots.map(({ key: of }) => of.provider)).toEqual(['other'])
  })

  it('removes the snapshot of a provider that was never used', async () => {
    const store = memoryStore()
    const { issuer, registry, told } = await scene(store)
    await registry.resolve(tenant, provider)
    await until(() => told('snapshot-saved').length === 1)
    const other = registryOn({ store, integrityKey, maxProviders: 1 })
    await other.registry.register({ ...registrationOf(issuer), provider: 'first' })
    await other.registry.resolve(tenant, 'first')
    await other.registry.register(registrationOf(issuer))
    expect(other.registry.status(tenant, provider).state).toBe('empty')
    await other.registry.unregister(tenant, provider)
    expect(store.snapshots.map(({ key: of }) => of.provider)).not.toContain(provider)
  })

  it('has the snapshot removed after a write that is under way, so that nothing remains', async () => {
    const { store, saves, log } = heldStore()
    const { registry } = await scene(store)
    await registry.resolve(tenant, provider)
    await until(() => saves.length === 1)
    const unregistered = registry.unregister(tenant, provider)
    await settle()
    saves[0]?.end()
    expect(await unregistered).toBe(true)
    expect(log).toEqual(['save begins', 'save ends', 'delete'])
  })

  it('writes nothing after it, whatever a fetch under way brings', async () => {
    const store = memoryStore()
    const { issuer, registry } = await scene(store)
    let release = (): void => undefined
    issuer.answerOnce('jwks', async () => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return { kind: 'normal' }
    })
    const resolved = registry.resolve(tenant, provider)
    await issuer.waitForRequests(1, 'jwks')
    await registry.unregister(tenant, provider)
    release()
    await resolved
    await settle()
    expect(store.snapshots).toEqual([])
  })

  it('removes the snapshot later, where the store is down', async () => {
    const store = memoryStore()
    const { registry, clock, told } = await scene(store)
    await registry.resolve(tenant, provider)
    await until(() => told('snapshot-saved').length === 1)
    store.fail()
    expect(await registry.unregister(tenant, provider)).toBe(true)
    store.recover()
    await clock.advance(6_000)
    await settle()
    expect(store.snapshots).toEqual([])
  })
})

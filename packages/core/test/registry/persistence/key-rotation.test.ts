import { memoryStore } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { fileStore, type SnapshotStore } from '../../../src/index.ts'
import { provider, startIssuer, startProcess, temporaryDirectory, tenant, until } from '../process.ts'

const [before, after] = ['the secret until the rotation of it', 'the secret from the rotation of it on']

const stores: readonly (readonly [string, () => () => SnapshotStore])[] = [
  [
    'files',
    () => {
      const directory = temporaryDirectory()
      return () => fileStore({ directory })
    },
  ],
  [
    'a store with three methods',
    () => {
      const store = memoryStore()
      return () => store
    },
  ],
]

describe.each(stores)('a new integrityKey, with %s', (_, place) => {
  it('takes immutable keys and revocations over from the old one, which can go after', async () => {
    const issuer = await startIssuer()
    await issuer.addKey()
    const store = place()
    const start = async (integrityKey: string | string[]) =>
      await startProcess({
        issuer,
        registry: { store: store(), integrityKey },
        provider: { keyLifetime: 'immutable' },
      })

    const old = await start(before)
    await old.resolve()
    await old.registry.revokeKey(tenant, provider, 'key-2')
    await old.registry.close()

    const both = await start([after, before])
    expect(both.kids()).toEqual(['key-1'])
    await both.saved()
    await both.registry.close()
    issuer.clearRequests()

    const only = await start(after)
    await until(() => only.kids().length > 0)
    expect(only.kids()).toEqual(['key-1'])
    expect(await only.verdict(await issuer.sign({}, { key: 'key-2' }))).toBe('ERR_KEY_REVOKED')
    expect(only.told('snapshot-refused')).toEqual([])
    expect(issuer.requestCount()).toBe(0)
  })

  it('does not have processes that disagree write over one another for ever', async () => {
    const issuer = await startIssuer()
    const store = place()
    const start = async (integrityKey: string[]) =>
      await startProcess({ issuer, registry: { store: store(), integrityKey }, provider: { keyLifetime: 'immutable' } })
    const late = await start([before, after])
    await late.resolve()
    await late.registry.revokeKey(tenant, provider, 'bogus')
    const early = await start([after, before])
    for (let round = 0; round < 10; round += 1) {
      for (const { registry, clock } of [late, early]) {
        await clock.advance(3_000)
        await registry.restore()
        await registry.persistAll()
      }
    }
    const saves = late.told('snapshot-saved').length + early.told('snapshot-saved').length
    for (let round = 0; round < 10; round += 1) {
      for (const { registry, clock } of [late, early]) {
        await clock.advance(3_000)
        await registry.restore()
      }
    }
    expect(late.told('snapshot-saved').length + early.told('snapshot-saved').length).toBe(saves)
    expect(late.told('snapshot-refused')).toEqual([])
  })
})

import { createManualClock } from '@jwks-auth/testing'
import { describe, expect, it } from 'vitest'
import { createSnapshotSigner } from '../../../src/stores/integrity.ts'
import { integrityKey, provider, settle, startProcess, tenant } from '../process.ts'
import { immutable, setImmutableScene } from './immutable.ts'

const hour = 3_600_000

describe('a key that was forgotten by a process whose clock is an hour fast', () => {
  async function setScene() {
    const scene = await setImmutableScene(2)
    const fast = await scene.startWithKeys()
    fast.clock.set(createManualClock().now() + hour)
    await fast.registry.forgetKey(tenant, provider, 'key-1')
    return { ...scene, fast, slow: await scene.start() }
  }

  it('is forgotten by the others', async () => {
    const { slow } = await setScene()
    expect(slow.kids()).toEqual(['key-2'])
  })

  it('can be learned again at once and permanently: by all of them, and over restarts', async () => {
    const { issuer, fast, slow, start } = await setScene()
    expect(await slow.verdict(await issuer.sign())).toBe('accepted')
    await settle()
    issuer.clearRequests()
    for (const { clock, registry, kids } of [slow, fast, slow, fast]) {
      await clock.advance(1_000)
      await registry.restore()
      await registry.persistAll()
      expect(kids()).toContain('key-1')
    }
    expect((await start()).kids()).toContain('key-1')
    expect(issuer.requestCount()).toBe(0)
  })
})

describe('a history with a time that no clock shows', () => {
  it.each(['+275760-09-13T00:00:00.000Z', '+010000-01-01T00:00:00.000Z', 'soon', 7, null])(
    'is refused: %j',
    async (time) => {
      const { issuer, store, startWithKeys } = await setImmutableScene()
      await startWithKeys({}, { integrityKey })
      const signer = createSnapshotSigner([integrityKey])
      const verified = signer.verify(store.snapshots[0]?.snapshot)
      const payload = JSON.parse(JSON.stringify(verified.ok ? verified.payload : undefined))
      payload.entry.immutable.forgottenAt = [['key-1', time]]
      store.put({ tenant, provider }, signer.sign(payload, null))
      const second = await startProcess({ issuer, registry: { store, integrityKey }, provider: immutable })
      expect(second.told('snapshot-refused')).toEqual([{ tenant, provider, reason: 'malformed' }])
      expect(await second.verdict(await issuer.sign())).toBe('accepted')
      await second.saved()
    },
  )
})

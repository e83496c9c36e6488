import assert from 'node:assert/strict'
import type { RevocationStore, SnapshotStore } from '@jwks-auth/core'
import { acme, callAtOnce, sampleId, sampleSnapshot } from './samples.ts'
import { type Case, partOf } from './store-place.ts'

/** Cases for revocations. */
export const revocationCases: readonly Case[] = [
  [
    'has no revocations at first',
    async ({ store }) => {
      assert.deepEqual(await revocationsOf(store).load(), [])
    },
  ],
  [
    'gives back all revocations, in another instance, too',
    async ({ store, open }) => {
      const texts = ['é 漢字 😀', 'b', 'c']
      for (const text of texts) await revocationsOf(store).save(sampleId(text), sampleSnapshot(text, null))
      await expectRecords(store, texts)
      await expectRecords(await open(), texts)
    },
  ],
  [
    'replaces the revocation of the same id and no other',
    async ({ store, open }) => {
      const other = await open()
      await revocationsOf(store).save(sampleId('a'), sampleSnapshot('a', null))
      await revocationsOf(store).save(sampleId('b'), sampleSnapshot('revoked'.repeat(100), null))
      await revocationsOf(other).save(sampleId('b'), sampleSnapshot('lifted', null))
      await expectRecords(store, ['a', 'lifted'])
      await expectRecords(other, ['a', 'lifted'])
    },
  ],
  [
    'loses no revocation when several instances save at once',
    async ({ store, open }) => {
      const stores = [store, await open(), await open()]
      const texts = await callAtOnce(stores, 8, async (instance, number) => {
        const text = `revocation ${number}`
        await revocationsOf(instance).save(sampleId(text), sampleSnapshot(text, null))
        return text
      })
      await expectRecords(store, texts)
    },
  ],
  [
    'keeps revocations apart from snapshots',
    async ({ store }) => {
      await store.save(acme, sampleSnapshot('snapshot'))
      assert.deepEqual(await revocationsOf(store).load(), [])
      await revocationsOf(store).save(sampleId('a'), sampleSnapshot('a', null))
      await store.delete(acme)
      await expectRecords(store, ['a'])
    },
  ],
  [
    'has another revision after each save of any instance, and the same one until then',
    async ({ store, open }) => {
      const other = await open()
      const seen = [await steadyRevision(store)]
      for (const [saver, id, text] of [
        [store, 'a', 'revoked'],
        [other, 'b', 'revoked'],
        [other, 'a', 'lifted'],
        [store, 'a', 'revoked'],
        [store, 'a', 'lifted'],
      ] as const) {
        await revocationsOf(saver).save(sampleId(id), sampleSnapshot(text, null))
        const revision = await steadyRevision(store)
        assert.ok(!seen.includes(revision), `the revision was the same before: ${revision}`)
        assert.equal(await steadyRevision(other), revision, 'two instances see different revisions')
        seen.push(revision)
      }
    },
  ],
]

function revocationsOf(store: SnapshotStore): RevocationStore {
  return partOf(store, 'revocations')
}

async function expectRecords(store: SnapshotStore, texts: readonly string[]): Promise<void> {
  const sorted = (records: readonly unknown[]): readonly string[] =>
    records.map((record) => JSON.stringify(record)).toSorted()
  assert.deepEqual(sorted(await revocationsOf(store).load()), sorted(texts.map((text) => sampleSnapshot(text, null))))
}

async function steadyRevision(store: SnapshotStore): Promise<string> {
  const revision = await revocationsOf(store).revision()
  assert.equal(typeof revision, 'string')
  assert.equal(await revocationsOf(store).revision(), revision, 'the revision changes by itself')
  return revision
}

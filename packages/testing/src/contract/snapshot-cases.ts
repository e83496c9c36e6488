import assert from 'node:assert/strict'
import type { ProviderKey, Snapshot } from '@jwks-auth/core'
import { acme, callAtOnce, globex, sampleSnapshot } from './samples.ts'
import { type Case, partOf, type Scene } from './store-place.ts'

/** Cases for every store. */
export const snapshotCases: readonly Case[] = [
  [
    'has nothing under a key at first',
    async ({ store }) => {
      assert.equal(await store.load(acme), undefined)
    },
  ],
  givesBack('what was saved', sampleSnapshot('keys')),
  givesBack('text of any script', sampleSnapshot('"\\/ \u0000\u001f\u007f\u2028 é ẞ 漢字 😀 \ud800 {tag}:* %s')),
  givesBack('a snapshot of a megabyte', sampleSnapshot('k'.repeat(1_048_576))),
  givesBack('a snapshot that does not expire', sampleSnapshot('immutable', null)),
  [
    'shows other instances what one has saved, replaced and deleted',
    async ({ store, open }) => {
      const other = await open()
      await store.save(acme, sampleSnapshot('first'))
      assert.deepEqual(await other.load(acme), sampleSnapshot('first'))
      await other.save(acme, sampleSnapshot('second'))
      assert.deepEqual(await store.load(acme), sampleSnapshot('second'))
      await store.delete(acme)
      assert.equal(await other.load(acme), undefined)
    },
  ],
  [
    'leaves nothing of a snapshot that is replaced by a shorter one',
    async ({ store }) => {
      await store.save(acme, sampleSnapshot('long'.repeat(1_000), null))
      await store.save(acme, sampleSnapshot('short'))
      assert.deepEqual(await store.load(acme), sampleSnapshot('short'))
    },
  ],
  [
    'deletes what is under one key and nothing else',
    async ({ store }) => {
      await store.save(acme, sampleSnapshot('acme'))
      await store.save(globex, sampleSnapshot('globex'))
      await store.delete(acme)
      assert.equal(await store.load(acme), undefined)
      assert.deepEqual(await store.load(globex), sampleSnapshot('globex'))
    },
  ],
  [
    'does not reject when there is nothing to delete',
    async ({ store }) => {
      await store.delete(acme)
      await store.delete(acme)
      assert.equal(await store.load(acme), undefined)
    },
  ],
  keepsApart('that differ in case', ['Acme', 'auth0'], ['acme', 'auth0'], ['acme', 'Auth0'], ['ACME', 'AUTH0']),
  keepsApart(
    'that join to the same text',
    ['a', 'b-c'],
    ['a-b', 'c'],
    ['a.b', 'c'],
    ['a', 'b.c'],
    ['a_b', 'c'],
    ['a', 'b_c'],
  ),
  keepsApart(
    'that mean something elsewhere',
    ['__proto__', 'constructor'],
    ['constructor', '__proto__'],
    ['toString', 'hasOwnProperty'],
    ['CON', 'nul'],
    ['nul', 'COM1.txt'],
    ['a..', '-'],
    ['-', '_'],
    ['null', 'undefined'],
    ['0', '00'],
  ),
  keepsApart(
    'of 64 characters',
    ['t'.repeat(64), 'p'.repeat(64)],
    ['t'.repeat(64), `${'p'.repeat(63)}q`],
    [`${'t'.repeat(63)}u`, 'p'.repeat(64)],
    ['t'.repeat(63), 'p'.repeat(64)],
  ),
  keepsApart(
    "of the registry's own records",
    ['acme', 'auth0'],
    ['acme', '.revoked.auth0'],
    ['acme', '.refused.auth0'],
    ['acme', 'revoked.auth0'],
    ['acme', `.revoked.${'p'.repeat(64)}`],
  ),
  [
    'keeps one of several snapshots that are saved at once, as a whole',
    async ({ store, open }) => {
      const stores = [store, await open(), await open()]
      // Of very different lengths, so that parts of one in another would show.
      const saved = await callAtOnce(stores, 4, async (instance, number) => {
        const snapshot = sampleSnapshot(`${number}`.repeat(number * 2_000))
        await instance.save(acme, snapshot)
        return JSON.stringify(snapshot)
      })
      const kept = JSON.stringify(await store.load(acme))
      assert.ok(saved.includes(kept), 'what is kept is none of the snapshots that were saved')
    },
  ],
  [
    'is not affected by later changes of a saved object',
    async ({ store }) => {
      const mutable = { ...sampleSnapshot('saved') }
      const saved = store.save(acme, mutable)
      mutable.payload = 'changed'
      await saved
      mutable.integrity = 'changed'
      assert.deepEqual(await store.load(acme), sampleSnapshot('saved'))
    },
  ],
  [
    'is not affected by changes of a loaded object',
    async ({ store }) => {
      await store.save(acme, sampleSnapshot('saved'))
      Object.assign(Object(await store.load(acme)), { payload: 'changed' })
      assert.deepEqual(await store.load(acme), sampleSnapshot('saved'))
    },
  ],
]

/** Cases for `setAside`. */
export const setAsideCases: readonly Case[] = [
  [
    'sets a snapshot aside without taking it away or putting it under another key',
    async ({ store }) => {
      await store.save(acme, sampleSnapshot('refused'))
      await partOf(store, 'setAside').call(store, acme)
      assert.deepEqual(await store.load(acme), sampleSnapshot('refused'))
      await store.save(acme, sampleSnapshot('next'))
      await partOf(store, 'setAside').call(store, acme)
      assert.deepEqual(await store.load(acme), sampleSnapshot('next'))
      assert.equal(await store.load(globex), undefined)
    },
  ],
  [
    'does not reject when there is nothing to set aside',
    async ({ store }) => {
      await partOf(store, 'setAside').call(store, acme)
      assert.equal(await store.load(acme), undefined)
    },
  ],
]

function givesBack(what: string, snapshot: Snapshot): Case {
  return [
    `gives back ${what}`,
    async ({ store }) => {
      await store.save(acme, snapshot)
      assert.deepEqual(await store.load(acme), snapshot)
    },
  ]
}

function keepsApart(which: string, ...names: readonly (readonly [tenant: string, provider: string])[]): Case {
  const keys = names.map(([tenant, provider]): ProviderKey => ({ tenant, provider }))
  return [`keeps apart keys ${which}`, (scene) => checkApart(scene, keys)]
}

async function checkApart({ store }: Scene, keys: readonly ProviderKey[]): Promise<void> {
  const snapshotOf = ({ tenant, provider }: ProviderKey): Snapshot => sampleSnapshot(`${tenant} / ${provider}`)
  for (const key of keys) {
    assert.equal(await store.load(key), undefined)
    await store.save(key, snapshotOf(key))
  }
  for (const key of keys) assert.deepEqual(await store.load(key), snapshotOf(key))
  const [deleted, ...others] = keys
  if (deleted === undefined) return
  await store.delete(deleted)
  assert.equal(await store.load(deleted), undefined)
  for (const key of others) assert.deepEqual(await store.load(key), snapshotOf(key))
}

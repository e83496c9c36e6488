import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTombstones } from '../../src/cache/tombstones.ts'
import { type KeySet, readKeySet } from '../../src/keys/key-set.ts'

function jwk(kid: string | undefined): Record<string, unknown> {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...publicKey.export({ format: 'jwk' }), kid }
}

function keySet(...keys: readonly Record<string, unknown>[]): KeySet {
  const reading = readKeySet({ keys }, 100)
  if (reading === undefined) throw new Error('no key set')
  return reading.keySet
}

const kidsOf = async (filtered: KeySet | Promise<KeySet>) => (await filtered).keys.map(({ kid }) => kid)

describe('tombstones', () => {
  it('leave a set as it is, the same object and at once, while nothing is revoked', () => {
    const set = keySet(jwk('a'))
    expect(createTombstones().filter(set)).toBe(set)
  })

  it('take a revoked kid out, and leave the other key objects as they are', async () => {
    const tombstones = createTombstones()
    const set = keySet(jwk('a'), jwk('b'))
    await tombstones.add('a', set)
    const filtered = await tombstones.filter(set)
    expect(filtered.keys).toEqual([set.keys[1]])
    expect(filtered.keys[0]).toBe(set.keys[1])
    expect(filtered.byKid.has('a')).toBe(false)
    expect(tombstones.has('a')).toBe(true)
    expect(tombstones.has('b')).toBe(false)
  })

  it('refuse the revoked material under another kid, and under none', async () => {
    const tombstones = createTombstones()
    const compromised = jwk('a')
    await tombstones.add('a', keySet(compromised))
    const renamed = keySet({ ...compromised, kid: 'z' }, { ...compromised, kid: undefined }, jwk('b'))
    expect(await kidsOf(tombstones.filter(renamed))).toEqual(['b'])
  })

  it('refuse new material under the revoked kid', async () => {
    const tombstones = createTombstones()
    await tombstones.add('a', keySet(jwk('a')))
    expect(await kidsOf(tombstones.filter(keySet(jwk('a'), jwk('b'))))).toEqual(['b'])
  })

  it('take every key of a kid that several share', async () => {
    const tombstones = createTombstones()
    const [one, other] = [jwk('a'), jwk('a')]
    await tombstones.add('a', keySet(one, other))
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(await kidsOf(tombstones.filter(renamed))).toEqual(['b'])
  })

  it('revoke a kid that is not held', async () => {
    const tombstones = createTombstones()
    await tombstones.add('a', undefined)
    expect(await kidsOf(tombstones.filter(keySet(jwk('a'), jwk('b'))))).toEqual(['b'])
  })

  it('know a revoked kid before its thumbprints are made', () => {
    const tombstones = createTombstones()
    const set = keySet(jwk('a'))
    const added = tombstones.add('a', set)
    expect(tombstones.has('a')).toBe(true)
    return added
  })

  it('add up when a kid is revoked again with other material', async () => {
    const tombstones = createTombstones()
    const [one, other] = [jwk('a'), jwk('a')]
    await tombstones.add('a', keySet(one))
    await tombstones.add('a', keySet(other))
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(await kidsOf(tombstones.filter(renamed))).toEqual(['b'])
  })

  it('can be taken back, material and all', async () => {
    const tombstones = createTombstones()
    const set = keySet(jwk('a'), jwk('b'))
    await tombstones.add('a', set)
    expect(tombstones.lift('a')).toHaveLength(1)
    expect(tombstones.lift('a')).toEqual([])
    expect(tombstones.has('a')).toBe(false)
    expect(tombstones.filter(set)).toBe(set)
  })

  it('change their version with every change', async () => {
    const tombstones = createTombstones()
    const versions = [tombstones.version()]
    const added = tombstones.add('a', keySet(jwk('a')))
    versions.push(tombstones.version())
    await added
    versions.push(tombstones.version())
    tombstones.lift('a')
    versions.push(tombstones.version())
    expect(new Set(versions).size).toBe(4)
  })
})

const thumbprints = async (key: Record<string, unknown>) => [await calculateJwkThumbprint(key)]

describe('the record of a revocation', () => {
  it('names the kid and the material, and has an id of its own', async () => {
    const tombstones = createTombstones()
    const key = jwk('a')
    const record = await tombstones.add('a', keySet(key))
    expect(record).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      kid: 'a',
      thumbprints: await thumbprints(key),
      isLifted: false,
    })
    expect(tombstones.records()).toEqual([record])
  })

  it('is another one when the same kid is revoked again', async () => {
    const tombstones = createTombstones()
    const [one, other] = [await tombstones.add('a', undefined), await tombstones.add('a', undefined)]
    expect(one.id).not.toBe(other.id)
    expect(tombstones.records()).toHaveLength(2)
  })

  it('is lifted, and kept, when it is taken back: every one of that kid', async () => {
    const tombstones = createTombstones()
    const records = [await tombstones.add('a', undefined), await tombstones.add('a', undefined)]
    const other = await tombstones.add('b', undefined)
    const lifted = records.map((record) => ({ ...record, isLifted: true }))
    expect(tombstones.lift('a')).toEqual(lifted)
    expect(tombstones.records()).toEqual([...lifted, other])
    expect([tombstones.has('a'), tombstones.has('b')]).toEqual([false, true])
  })

  it('says that it is lifted where that came while its thumbprints were made', async () => {
    const tombstones = createTombstones()
    const adding = tombstones.add('a', keySet(jwk('a')))
    tombstones.lift('a')
    expect(await adding).toMatchObject({ isLifted: true })
    expect(tombstones.has('a')).toBe(false)
  })

  it('learns its material from the first set that has the kid, and tells', async () => {
    const told: unknown[] = []
    const tombstones = createTombstones((record) => told.push(record))
    const key = jwk('a')
    const record = await tombstones.add('a', undefined)
    await tombstones.filter(keySet(jwk('b')))
    expect(told).toEqual([])
    expect(await kidsOf(tombstones.filter(keySet(key)))).toEqual([])
    const complete = { ...record, thumbprints: await thumbprints(key) }
    expect(told).toEqual([complete])
    expect(tombstones.records()).toEqual([complete])
    expect(await kidsOf(tombstones.filter(keySet({ ...key, kid: 'renamed' })))).toEqual([])
    await tombstones.filter(keySet(jwk('a')))
    expect(tombstones.records()).toEqual([complete])
  })
})

describe('what another process knows', () => {
  it('is in force at once, kid and material', async () => {
    const [here, there] = [createTombstones(), createTombstones()]
    const key = jwk('a')
    const record = await there.add('a', keySet(key))
    expect(here.unite(record)).toBe(true)
    expect(here.has('a')).toBe(true)
    expect(await kidsOf(here.filter(keySet({ ...key, kid: 'renamed' }, jwk('b'))))).toEqual(['b'])
  })

  it('is news once', async () => {
    const [here, there] = [createTombstones(), createTombstones()]
    const record = await there.add('a', undefined)
    here.unite(record)
    const version = here.version()
    expect(here.unite(record)).toBe(false)
    expect(here.unite({ ...record })).toBe(false)
    expect(here.version()).toBe(version)
  })

  it('adds to the material that is known', async () => {
    const here = createTombstones()
    const [one, other] = [jwk('a'), jwk('a')]
    const record = await here.add('a', keySet(one))
    expect(here.unite({ ...record, thumbprints: await thumbprints(other) })).toBe(true)
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(await kidsOf(here.filter(renamed))).toEqual(['b'])
  })

  it('lifts, and is not undone by who has not heard of it', async () => {
    const [here, there] = [createTombstones(), createTombstones()]
    const record = await here.add('a', keySet(jwk('a')))
    there.unite(record)
    const [lifted] = there.lift('a')
    expect(lifted && here.unite(lifted)).toBe(true)
    expect(here.unite(record)).toBe(false)
    expect(here.has('a')).toBe(false)
  })

  it('lifts no later revocation of the same kid', async () => {
    const [here, there] = [createTombstones(), createTombstones()]
    const first = await here.add('a', undefined)
    there.unite(first)
    const [lifted] = there.lift('a')
    const second = await here.add('a', undefined)
    expect(lifted && here.unite(lifted)).toBe(true)
    expect(here.has('a')).toBe(true)
    there.unite(second)
    expect(there.has('a')).toBe(true)
  })
})

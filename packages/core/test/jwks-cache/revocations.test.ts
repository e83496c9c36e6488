import { generateKeyPairSync } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { type KeySet, readKeySet } from '../../src/jwks/key-set.ts'
import { createRevocations } from '../../src/jwks-cache/revocations.ts'

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

describe('revocations', () => {
  it('leave a set as it is, the same object and at once, while nothing is revoked', () => {
    const set = keySet(jwk('a'))
    expect(createRevocations().filter(set)).toBe(set)
  })

  it('take a revoked kid out, and leave the other key objects as they are', async () => {
    const revocations = createRevocations()
    const set = keySet(jwk('a'), jwk('b'))
    await revocations.add('a', set)
    const filtered = await revocations.filter(set)
    expect(filtered.keys).toEqual([set.keys[1]])
    expect(filtered.keys[0]).toBe(set.keys[1])
    expect(filtered.byKid.has('a')).toBe(false)
    expect(revocations.has('a')).toBe(true)
    expect(revocations.has('b')).toBe(false)
  })

  it('refuse the revoked material under another kid, and under none', async () => {
    const revocations = createRevocations()
    const compromised = jwk('a')
    await revocations.add('a', keySet(compromised))
    const renamed = keySet({ ...compromised, kid: 'z' }, { ...compromised, kid: undefined }, jwk('b'))
    expect(await kidsOf(revocations.filter(renamed))).toEqual(['b'])
  })

  it('refuse new material under the revoked kid', async () => {
    const revocations = createRevocations()
    await revocations.add('a', keySet(jwk('a')))
    expect(await kidsOf(revocations.filter(keySet(jwk('a'), jwk('b'))))).toEqual(['b'])
  })

  it('take every key of a kid that several share', async () => {
    const revocations = createRevocations()
    const [one, other] = [jwk('a'), jwk('a')]
    await revocations.add('a', keySet(one, other))
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(await kidsOf(revocations.filter(renamed))).toEqual(['b'])
  })

  it('revoke a kid that is not held', async () => {
    const revocations = createRevocations()
    await revocations.add('a', undefined)
    expect(await kidsOf(revocations.filter(keySet(jwk('a'), jwk('b'))))).toEqual(['b'])
  })

  it('know a revoked kid before its thumbprints are made', () => {
    const revocations = createRevocations()
    const set = keySet(jwk('a'))
    const added = revocations.add('a', set)
    expect(revocations.has('a')).toBe(true)
    return added
  })

  it('add up when a kid is revoked again with other material', async () => {
    const revocations = createRevocations()
    const [one, other] = [jwk('a'), jwk('a')]
    await revocations.add('a', keySet(one))
    await revocations.add('a', keySet(other))
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(await kidsOf(revocations.filter(renamed))).toEqual(['b'])
  })

  it('can be taken back, material and all', async () => {
    const revocations = createRevocations()
    const set = keySet(jwk('a'), jwk('b'))
    await revocations.add('a', set)
    expect(revocations.lift('a')).toHaveLength(1)
    expect(revocations.lift('a')).toEqual([])
    expect(revocations.has('a')).toBe(false)
    expect(revocations.filter(set)).toBe(set)
  })

  it('change their version with every change', async () => {
    const revocations = createRevocations()
    const versions = [revocations.version()]
    const added = revocations.add('a', keySet(jwk('a')))
    versions.push(revocations.version())
    await added
    versions.push(revocations.version())
    revocations.lift('a')
    versions.push(revocations.version())
    expect(new Set(versions).size).toBe(4)
  })
})

const thumbprints = async (key: Record<string, unknown>) => [await calculateJwkThumbprint(key)]

describe('the record of a revocation', () => {
  it('names the kid and the material, and has an id of its own', async () => {
    const revocations = createRevocations()
    const key = jwk('a')
    const record = await revocations.add('a', keySet(key))
    expect(record).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      kid: 'a',
      thumbprints: await thumbprints(key),
      isLifted: false,
    })
    expect(revocations.records()).toEqual([record])
  })

  it('is another one when the same kid is revoked again', async () => {
    const revocations = createRevocations()
    const [one, other] = [await revocations.add('a', undefined), await revocations.add('a', undefined)]
    expect(one.id).not.toBe(other.id)
    expect(revocations.records()).toHaveLength(2)
  })

  it('is lifted, and kept, when it is taken back: every one of that kid', async () => {
    const revocations = createRevocations()
    const records = [await revocations.add('a', undefined), await revocations.add('a', undefined)]
    const other = await revocations.add('b', undefined)
    const lifted = records.map((record) => ({ ...record, isLifted: true }))
    expect(revocations.lift('a')).toEqual(lifted)
    expect(revocations.records()).toEqual([...lifted, other])
    expect([revocations.has('a'), revocations.has('b')]).toEqual([false, true])
  })

  it('says that it is lifted where that came while its thumbprints were made', async () => {
    const revocations = createRevocations()
    const adding = revocations.add('a', keySet(jwk('a')))
    revocations.lift('a')
    expect(await adding).toMatchObject({ isLifted: true })
    expect(revocations.has('a')).toBe(false)
  })

  it('learns its material from the first set that has the kid, and tells', async () => {
    const told: unknown[] = []
    const revocations = createRevocations((record) => told.push(record))
    const key = jwk('a')
    const record = await revocations.add('a', undefined)
    await revocations.filter(keySet(jwk('b')))
    expect(told).toEqual([])
    expect(await kidsOf(revocations.filter(keySet(key)))).toEqual([])
    const complete = { ...record, thumbprints: await thumbprints(key) }
    expect(told).toEqual([complete])
    expect(revocations.records()).toEqual([complete])
    expect(await kidsOf(revocations.filter(keySet({ ...key, kid: 'renamed' })))).toEqual([])
    await revocations.filter(keySet(jwk('a')))
    expect(revocations.records()).toEqual([complete])
  })
})

describe('what another process knows', () => {
  it('is in force at once, kid and material', async () => {
    const [here, there] = [createRevocations(), createRevocations()]
    const key = jwk('a')
    const record = await there.add('a', keySet(key))
    expect(here.unite(record)).toBe(true)
    expect(here.has('a')).toBe(true)
    expect(await kidsOf(here.filter(keySet({ ...key, kid: 'renamed' }, jwk('b'))))).toEqual(['b'])
  })

  it('is news once', async () => {
    const [here, there] = [createRevocations(), createRevocations()]
    const record = await there.add('a', undefined)
    here.unite(record)
    const version = here.version()
    expect(here.unite(record)).toBe(false)
    expect(here.unite({ ...record })).toBe(false)
    expect(here.version()).toBe(version)
  })

  it('adds to the material that is known', async () => {
    const here = createRevocations()
    const [one, other] = [jwk('a'), jwk('a')]
    const record = await here.add('a', keySet(one))
    expect(here.unite({ ...record, thumbprints: await thumbprints(other) })).toBe(true)
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(await kidsOf(here.filter(renamed))).toEqual(['b'])
  })

  it('lifts, and is not undone by who has not heard of it', async () => {
    const [here, there] = [createRevocations(), createRevocations()]
    const record = await here.add('a', keySet(jwk('a')))
    there.unite(record)
    const [lifted] = there.lift('a')
    expect(lifted && here.unite(lifted)).toBe(true)
    expect(here.unite(record)).toBe(false)
    expect(here.has('a')).toBe(false)
  })

  it('lifts no later revocation of the same kid', async () => {
    const [here, there] = [createRevocations(), createRevocations()]
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

import { generateKeyPairSync } from 'node:crypto'
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
    expect(tombstones.remove('a')).toBe(true)
    expect(tombstones.remove('a')).toBe(false)
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
    tombstones.remove('a')
    versions.push(tombstones.version())
    expect(new Set(versions).size).toBe(4)
  })
})

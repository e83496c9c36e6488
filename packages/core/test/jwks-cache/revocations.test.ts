import { generateKeys } from '@jwks-auth/test-support/generate-keys'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from 'vitest'
import { type KeySet, readKeySet } from '../../src/jwks/key-set.ts'
import { createRevocations } from '../../src/jwks-cache/usable-keys.ts'

function jwk(kid: string | undefined): Record<string, unknown> {
  const { publicKey } = generateKeys('ec', { namedCurve: 'P-256' })
  return { ...publicKey.export({ format: 'jwk' }), kid }
}

function keySet(...keys: readonly Record<string, unknown>[]): KeySet {
  const reading = readKeySet({ keys }, 100)
  if (reading === undefined) throw new Error('no key set')
  return reading.keySet
}

const kidsOf = (filtered: KeySet) => filtered.keys.map(({ kid }) => kid)

describe('revocations', () => {
  it('returns the same set while nothing is revoked', () => {
    const set = keySet(jwk('a'))
    expect(createRevocations().filter(set)).toBe(set)
  })

  it('removes a revoked kid and keeps the objects of other keys', () => {
    const revocations = createRevocations()
    const set = keySet(jwk('a'), jwk('b'))
    revocations.revoke('a', set)
    const filtered = revocations.filter(set)
    expect(filtered.keys).toEqual([set.keys[1]])
    expect(filtered.keys[0]).toBe(set.keys[1])
    expect(filtered.byKid.has('a')).toBe(false)
    expect(revocations.has('a')).toBe(true)
    expect(revocations.has('b')).toBe(false)
  })

  it('refuses revoked material under another kid and under none', () => {
    const revocations = createRevocations()
    const compromised = jwk('a')
    revocations.revoke('a', keySet(compromised))
    const renamed = keySet({ ...compromised, kid: 'z' }, { ...compromised, kid: undefined }, jwk('b'))
    expect(kidsOf(revocations.filter(renamed))).toEqual(['b'])
  })

  it('refuses new material under a revoked kid', () => {
    const revocations = createRevocations()
    revocations.revoke('a', keySet(jwk('a')))
    expect(kidsOf(revocations.filter(keySet(jwk('a'), jwk('b'))))).toEqual(['b'])
  })

  it('revokes every key that shares the kid', () => {
    const revocations = createRevocations()
    const [one, other] = [jwk('a'), jwk('a')]
    revocations.revoke('a', keySet(one, other))
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(kidsOf(revocations.filter(renamed))).toEqual(['b'])
  })

  it('revokes a kid that is not cached', () => {
    const revocations = createRevocations()
    revocations.revoke('a', undefined)
    expect(kidsOf(revocations.filter(keySet(jwk('a'), jwk('b'))))).toEqual(['b'])
  })

  it('adds a record when a kid is revoked again with other material', () => {
    const revocations = createRevocations()
    const [one, other] = [jwk('a'), jwk('a')]
    revocations.revoke('a', keySet(one))
    revocations.revoke('a', keySet(other))
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(kidsOf(revocations.filter(renamed))).toEqual(['b'])
  })

  it('lifts a revocation, its thumbprints included', () => {
    const revocations = createRevocations()
    const set = keySet(jwk('a'), jwk('b'))
    revocations.revoke('a', set)
    expect(revocations.lift('a')).toHaveLength(1)
    expect(revocations.lift('a')).toEqual([])
    expect(revocations.has('a')).toBe(false)
    expect(revocations.filter(set)).toBe(set)
  })
})

const thumbprints = async (key: Record<string, unknown>) => [await calculateJwkThumbprint(key)]

describe('a revocation record', () => {
  it('names the kid and the thumbprints, and has an id of its own', async () => {
    const revocations = createRevocations()
    const key = jwk('a')
    const record = revocations.revoke('a', keySet(key))
    expect(record).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      kid: 'a',
      thumbprints: await thumbprints(key),
      isLifted: false,
    })
    expect(revocations.records()).toEqual([record])
  })

  it('is reused where revoking a kid again adds nothing', () => {
    const revocations = createRevocations()
    const set = keySet(jwk('a'))
    const first = revocations.revoke('a', set)
    for (const published of [set, undefined, keySet(jwk('b'))]) expect(revocations.revoke('a', published)).toBe(first)
    expect(revocations.records()).toEqual([first])
  })

  it('is a new one where a kid is revoked again with other material, or after it was lifted', () => {
    const revocations = createRevocations()
    const first = revocations.revoke('a', undefined)
    const second = revocations.revoke('a', keySet(jwk('a')))
    revocations.lift('a')
    const third = revocations.revoke('a', undefined)
    expect(new Set([first.id, second.id, third.id]).size).toBe(3)
    expect(revocations.records()).toEqual([{ ...first, isLifted: true }, { ...second, isLifted: true }, third])
  })

  it('is kept when it is lifted, with every other of that kid', () => {
    const revocations = createRevocations()
    const records = [revocations.revoke('a', undefined), revocations.revoke('a', keySet(jwk('a')))]
    const other = revocations.revoke('b', undefined)
    const lifted = records.map((record) => ({ ...record, isLifted: true }))
    expect(revocations.lift('a')).toEqual(lifted)
    expect(revocations.records()).toEqual([...lifted, other])
    expect([revocations.has('a'), revocations.has('b')]).toEqual([false, true])
  })

  it('learns its thumbprints from the first set that has the kid', async () => {
    const revocations = createRevocations()
    const key = jwk('a')
    const record = revocations.revoke('a', undefined)
    expect(revocations.complete(keySet(jwk('b')))).toEqual([])
    const complete = { ...record, thumbprints: await thumbprints(key) }
    expect(revocations.complete(keySet(key))).toEqual([complete])
    expect(revocations.records()).toEqual([complete])
    expect(kidsOf(revocations.filter(keySet({ ...key, kid: 'renamed' })))).toEqual([])
    expect(revocations.complete(keySet(jwk('a')))).toEqual([])
    expect(revocations.records()).toEqual([complete])
  })

  it('learns nothing once it is lifted', () => {
    const revocations = createRevocations()
    revocations.revoke('a', undefined)
    revocations.lift('a')
    expect(revocations.complete(keySet(jwk('a')))).toEqual([])
  })
})

describe('merging a record of another process', () => {
  it('applies at once, by kid and thumbprint', () => {
    const [here, there] = [createRevocations(), createRevocations()]
    const key = jwk('a')
    const record = there.revoke('a', keySet(key))
    expect(here.merge(record)).toBe(true)
    expect(here.has('a')).toBe(true)
    expect(kidsOf(here.filter(keySet({ ...key, kid: 'renamed' }, jwk('b'))))).toEqual(['b'])
  })

  it('is merged once', () => {
    const [here, there] = [createRevocations(), createRevocations()]
    const record = there.revoke('a', undefined)
    here.merge(record)
    expect(here.merge(record)).toBe(false)
    expect(here.merge({ ...record })).toBe(false)
    expect(here.records()).toEqual([record])
  })

  it('adds to the known thumbprints', async () => {
    const here = createRevocations()
    const [one, other] = [jwk('a'), jwk('a')]
    const record = here.revoke('a', keySet(one))
    expect(here.merge({ ...record, thumbprints: await thumbprints(other) })).toBe(true)
    const renamed = keySet({ ...one, kid: 'x' }, { ...other, kid: 'y' }, jwk('b'))
    expect(kidsOf(here.filter(renamed))).toEqual(['b'])
  })

  it('stays lifted when an older copy of the record is merged', () => {
    const [here, there] = [createRevocations(), createRevocations()]
    const record = here.revoke('a', keySet(jwk('a')))
    there.merge(record)
    const [lifted] = there.lift('a')
    expect(lifted && here.merge(lifted)).toBe(true)
    expect(here.merge(record)).toBe(false)
    expect(here.has('a')).toBe(false)
  })

  it('does not lift a later revocation of the same kid', () => {
    const [here, there] = [createRevocations(), createRevocations()]
    const first = here.revoke('a', undefined)
    there.merge(first)
    const [lifted] = there.lift('a')
    const second = here.revoke('a', keySet(jwk('a')))
    expect(lifted && here.merge(lifted)).toBe(true)
    expect(here.has('a')).toBe(true)
    there.merge(second)
    expect(there.has('a')).toBe(true)
  })
})

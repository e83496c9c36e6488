import { describe, expect, it } from 'vitest'
import {
  compareKeySets,
  createKeySet,
  type KeySet,
  readKeySet,
  readKeySetInTurns,
  selectKeys,
} from '../../src/jwks/key-set.ts'
import { samples } from './sample-keys.ts'

const { rsa, p256, otherP256, p384, ed25519 } = samples

function setOf(...keys: readonly unknown[]): KeySet {
  const reading = readKeySet({ keys }, 1_000)
  if (reading === undefined) throw new Error('this is no key set')
  return reading.keySet
}

describe('readKeySetInTurns', () => {
  it('reads what readKeySet reads, and lets others have their turn', async () => {
    const keys = Array.from({ length: 1_000 }, (_, index) => ({
      ...p256,
      kid: `${index}`,
      d: index % 7 === 0 ? 'AA' : null,
    }))
    let turns = 0
    const count = (): void => {
      turns += 1
      next = setImmediate(count)
    }
    let next = setImmediate(count)
    const reading = await readKeySetInTurns({ keys }, 950, () => undefined)
    clearImmediate(next)
    expect(reading).toEqual(readKeySet({ keys }, 950))
    expect(turns).toBeGreaterThanOrEqual(46)
  })

  it('returns undefined for what is no key set', async () => {
    expect(await readKeySetInTurns({ keys: {} }, 10, () => undefined)).toBeUndefined()
  })
})

describe('readKeySet', () => {
  it.each([[undefined], [null], [[]], ['keys'], [{}], [{ keys: {} }], [{ keys: null }], [{ Keys: [] }]])(
    'returns undefined for %j',
    (value) => {
      expect(readKeySet(value, 1_000)).toBeUndefined()
    },
  )

  it('refuses a bad key without its neighbours', () => {
    const reading = readKeySet({ keys: [null, { ...p256, kid: 'good' }, { ...rsa, n: 'AQAB', kid: 'weak' }] }, 1_000)
    expect([...(reading?.keySet.byKid.keys() ?? [])]).toEqual(['good'])
    expect(reading?.refused).toEqual({
      count: 2,
      first: [
        { reason: 'malformed', kid: undefined },
        { reason: 'rsa-size', kid: 'weak' },
      ],
    })
  })

  it('does not read entries beyond maxKeys, and counts them', () => {
    const unread = new Proxy({}, { get: () => expect.unreachable('this entry is read') })
    const reading = readKeySet({ keys: [p256, otherP256, ...Array.from({ length: 515_000 }, () => unread)] }, 2)
    expect(reading?.keySet.keys).toHaveLength(2)
    expect(reading?.refused).toEqual({ count: 515_000, first: [{ reason: 'too-many', kid: undefined }] })
  })

  it('reports ten refused keys, private ones first, and the unread ones among them', () => {
    const bad = Array.from({ length: 30 }, (_, index) => ({ kty: 'oct', kid: `secret-${index}` }))
    const reading = readKeySet({ keys: [...bad, { ...rsa, kid: 'private', d: 'AQAB' }, p256, p384] }, 32)
    expect(reading?.keySet.keys).toHaveLength(1)
    expect(reading?.refused.count).toBe(32)
    expect(reading?.refused.first).toHaveLength(10)
    expect(reading?.refused.first[0]).toEqual({ reason: 'private', kid: 'private' })
    expect(reading?.refused.first[9]).toEqual({ reason: 'too-many', kid: undefined })
  })

  it('cuts the kid of a refused key to 256 characters', () => {
    const reading = readKeySet({ keys: [{ kty: 'oct', kid: 'k'.repeat(100_000) }] }, 10)
    expect(reading?.refused.first[0]?.kid).toBe('k'.repeat(256))
  })

  it('keeps one of several encodings of a key', () => {
    const n = Buffer.from(String(rsa['n']), 'base64url').toString('base64')
    const { keys } = setOf(
      rsa,
      { ...rsa, n },
      { ...rsa, alg: '', key_ops: [] },
      { ...rsa, n: `AAAA${String(rsa['n'])}` },
    )
    expect(keys).toHaveLength(1)
  })

  it('does not trust the public form of a key whose private half is in the set', () => {
    const { keys } = setOf({ ...rsa, kid: 'public' }, { ...rsa, kid: 'private', d: 'AQAB' }, p256)
    expect(keys.map(({ kid }) => kid)).toEqual([undefined])
  })

  it('returns the material of a private key, whatever its encoding is', () => {
    const n = `AAAA${String(rsa['n'])}==`
    const reading = readKeySet({ keys: [p256, { ...rsa, n, d: 'AQAB' }] }, 10)
    expect([...(reading?.compromised ?? [])]).toEqual(setOf(rsa).keys.map(({ material }) => material))
  })

  it('returns no material for a key whose private members are null', () => {
    const reading = readKeySet({ keys: [{ ...rsa, d: null, p: null, q: null }] }, 10)
    expect(reading?.compromised.size).toBe(0)
    expect(reading?.keySet.keys).toHaveLength(1)
  })

  it('represents a known key that is published unchanged by the same object', () => {
    const known = setOf({ ...rsa, kid: 'a' }, { ...p256, kid: 'b' })
    const next = readKeySet(
      {
        keys: [
          { ...p256, kid: 'b', use: 'sig' },
          { ...rsa, kid: 'a' },
        ],
      },
      1_000,
      known,
    )?.keySet
    expect(next?.byKid.get('a')?.[0]).toBe(known.byKid.get('a')?.[0])
    expect(next?.byKid.get('b')?.[0]).not.toBe(known.byKid.get('b')?.[0])
  })

  it('takes names of Object.prototype for a kid like any other', () => {
    const keySet = setOf({ ...p256, kid: '__proto__' }, { ...rsa, kid: 'constructor' })
    expect(keySet.byKid.get('__proto__')).toHaveLength(1)
    expect(keySet.byKid.get('toString')).toBeUndefined()
  })
})

describe('selectKeys', () => {
  const keySet = setOf(
    { ...p256, kid: 'a' },
    { ...rsa, kid: 'a' },
    { ...otherP256, kid: 'b' },
    { ...ed25519, kid: 'c', alg: 'EdDSA' },
    { ...p384 },
  )
  it.each<[string | undefined, string | undefined, readonly (string | undefined)[]]>([
    ['a', 'ES256', ['EC']],
    ['a', 'PS256', ['RSA']],
    ['a', undefined, ['EC', 'RSA']],
    ['a', 'EdDSA', []],
    ['A', 'ES256', []],
    ['', 'ES256', []],
    ['c', 'Ed25519', ['OKP']],
    [undefined, 'ES256', ['EC', 'EC']],
    [undefined, 'ES384', ['EC']],
    [undefined, 'HS256', []],
  ])('with kid %s and alg %s finds %j', (kid, alg, types) => {
    expect(selectKeys(keySet, kid, alg).map(({ jwk }) => jwk.kty)).toEqual(types)
  })

  it('returns four keys at most', () => {
    const many = setOf(...Array.from({ length: 6 }, (_, index) => ({ ...p256, alg: 'ES256', kid: `k${index}` })))
    expect(selectKeys(many, undefined, 'ES256')).toHaveLength(4)
  })
})

describe('compareKeySets', () => {
  const [a, b] = [
    { ...rsa, kid: 'a' },
    { ...p256, kid: 'b' },
  ]
  it.each<[string, KeySet | undefined, KeySet, object]>([
    ['the first', undefined, setOf(a, b), { added: ['a', 'b'], removed: [], changed: [] }],
    ['the same', setOf(a, b), setOf(b, a), { added: [], removed: [], changed: [] }],
    ['one more', setOf(a), setOf(a, b), { added: ['b'], removed: [], changed: [] }],
    ['one less', setOf(a, b), setOf(b), { added: [], removed: ['a'], changed: [] }],
    ['other material', setOf(a, b), setOf(a, { ...otherP256, kid: 'b' }), { added: [], removed: [], changed: ['b'] }],
    ['another alg', setOf(a), setOf({ ...a, alg: 'RS256' }), { added: [], removed: [], changed: ['a'] }],
    ['one more of a kid', setOf(a), setOf(a, { ...p256, kid: 'a' }), { added: [], removed: [], changed: ['a'] }],
  ])('reports %s', (_, before, after, changes) => {
    expect(compareKeySets(before, after)).toEqual(changes)
  })

  it.each([1_000, 4_000])('reads each of %i keys under one kid a few times at most', (length) => {
    let reads = 0
    const make = (set: string): KeySet =>
      createKeySet(
        Array.from({ length }, (_, index) => ({
          jwk: { kty: 'OKP' },
          kid: 'shared',
          material: '',
          get identity() {
            reads += 1
            return `${set}-${index}`
          },
        })),
      )
    const [before, same, other] = [make('a'), make('a'), make('b')]
    expect(compareKeySets(before, same).changed).toEqual([])
    expect(compareKeySets(before, other).changed).toEqual(['shared'])
    expect(reads).toBeLessThanOrEqual(10 * length)
  })
})

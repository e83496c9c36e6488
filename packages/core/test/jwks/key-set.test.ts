import { describe, expect, it } from 'vitest'
import { compareKeySets, type KeySet, readKeySet, selectKeys } from '../../src/jwks/key-set.ts'
import { samples } from './sample-keys.ts'

const { rsa, p256, otherP256, p384, ed25519 } = samples

function setOf(...keys: readonly unknown[]): KeySet {
  const reading = readKeySet({ keys }, 1_000)
  if (reading === undefined) throw new Error('this is no key set')
  return reading.keySet
}

describe('reading a key set', () => {
  it.each([[undefined], [null], [[]], ['keys'], [{}], [{ keys: {} }], [{ keys: null }], [{ Keys: [] }]])(
    'finds none in %j',
    (value) => {
      expect(readKeySet(value, 1_000)).toBeUndefined()
    },
  )

  it('refuses a bad key alone', () => {
    const reading = readKeySet({ keys: [null, { ...p256, kid: 'good' }, { ...rsa, n: 'AQAB', kid: 'weak' }] }, 1_000)
    expect([...(reading?.keySet.byKid.keys() ?? [])]).toEqual(['good'])
    expect(reading?.refused.map(({ reason, kid }) => [reason, kid])).toEqual([
      ['malformed', undefined],
      ['rsa-size', 'weak'],
    ])
  })

  it('refuses keys beyond maxKeys, and counts a repeated one once', () => {
    const reading = readKeySet({ keys: [p256, p256, otherP256, { ...p384, kid: 'late' }] }, 2)
    expect(reading?.keySet.keys).toHaveLength(2)
    expect(reading?.refused).toEqual([{ kind: 'refused', reason: 'too-many', kid: 'late' }])
  })

  it('does not trust the public form of a key whose private half is in the set', () => {
    const { keys } = setOf({ ...rsa, kid: 'public' }, { ...rsa, kid: 'private', d: 'AQAB' }, p256)
    expect(keys.map(({ kid }) => kid)).toEqual([undefined])
  })

  it('takes over held keys that are published unchanged, object for object', () => {
    const held = setOf({ ...rsa, kid: 'a' }, { ...p256, kid: 'b' })
    const next = readKeySet(
      {
        keys: [
          { ...p256, kid: 'b', use: 'sig' },
          { ...rsa, kid: 'a' },
        ],
      },
      1_000,
      held,
    )?.keySet
    expect(next?.byKid.get('a')?.[0]).toBe(held.byKid.get('a')?.[0])
    expect(next?.byKid.get('b')?.[0]).not.toBe(held.byKid.get('b')?.[0])
  })

  it('keeps names of Object.prototype apart from it', () => {
    const keySet = setOf({ ...p256, kid: '__proto__' }, { ...rsa, kid: 'constructor' })
    expect(keySet.byKid.get('__proto__')).toHaveLength(1)
    expect(keySet.byKid.get('toString')).toBeUndefined()
  })
})

describe('selecting keys for a token', () => {
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

  it('tries four at most', () => {
    const many = setOf(...Array.from({ length: 6 }, (_, index) => ({ ...p256, alg: 'ES256', kid: `k${index}` })))
    expect(selectKeys(many, undefined, 'ES256')).toHaveLength(4)
  })
})

describe('comparing key sets', () => {
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
  ])('tells of %s', (_, before, after, changes) => {
    expect(compareKeySets(before, after)).toEqual(changes)
  })
})

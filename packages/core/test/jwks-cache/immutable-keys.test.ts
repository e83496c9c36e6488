import { describe, expect, it } from 'vitest'
import { createKeySet } from '../../src/jwks/key-set.ts'
import { addPublished, forget, unite } from '../../src/jwks-cache/usable-keys.ts'
import { contentOf, immutableKeys, kidsOf, published } from './immutable-scene.ts'

const roomy = { now: 50, maxKeys: 100 }

describe('published keys', () => {
  it('are all added where nothing is known, with the time at which they became known', () => {
    const added = addPublished(undefined, published(['a', '1'], ['b', '2']), roomy)
    expect(contentOf(added)).toEqual(
      contentOf(
        immutableKeys([
          ['a', '1', 50],
          ['b', '2', 50],
        ]),
      ),
    )
    expect(added).toMatchObject({ changes: { added: ['a', 'b'], removed: [], changed: [] }, refused: { count: 0 } })
  })

  it('are added to those that are known, which keep their identity', () => {
    const known = immutableKeys([['a', '1', 10]])
    const added = addPublished(known, published(['a', '1'], ['b', '2']), roomy)
    expect(added.history.learnedAt).toEqual([
      ['a', 10],
      ['b', 50],
    ])
    expect(added.keySet.keys[0]).toBe(known.keySet.keys[0])
  })

  it('that bring nothing new leave the set the same object', () => {
    const known = immutableKeys([
      ['a', '1', 10],
      ['b', '2', 10],
    ])
    expect(addPublished(known, published(['a', '1']), roomy).keySet).toBe(known.keySet)
  })

  it('do not take away what is no longer among them, and say that it is gone', () => {
    const added = addPublished(immutableKeys([['a', '1', 10]]), published(['b', '2']), roomy)
    expect(kidsOf(added)).toEqual(['a', 'b'])
    expect(added.changes).toEqual({ added: ['b'], removed: ['a'], changed: [] })
  })

  it('are refused where other material is known under their kid', () => {
    const known = immutableKeys([['a', '1', 10]])
    const added = addPublished(known, published(['a', '2']), roomy)
    expect(contentOf(added)).toEqual(contentOf(known))
    expect(added.changes).toEqual({ added: [], removed: [], changed: ['a'] })
    expect(added.refused).toEqual({ count: 1, first: [{ reason: 'immutable', kid: 'a' }] })
  })

  it('without a kid are not kept', () => {
    const added = addPublished(undefined, published([undefined, '1'], ['b', '2']), roomy)
    expect(kidsOf(added)).toEqual(['b'])
    expect(added.refused.count).toBe(0)
  })

  it('that share a kid are taken together', () => {
    expect(kidsOf(addPublished(undefined, published(['a', '1'], ['a', '2']), roomy))).toEqual(['a', 'a'])
  })

  it('past maxKeys are refused, and the older ones stay', () => {
    const known = immutableKeys([
      ['a', '1', 10],
      ['b', '2', 10],
    ])
    const added = addPublished(known, published(['c', '3'], ['d', '4']), { now: 50, maxKeys: 3 })
    expect(kidsOf(added)).toEqual(['a', 'b', 'c'])
    expect(added.changes.added).toEqual(['c'])
    expect(added.refused).toEqual({ count: 1, first: [{ reason: 'too-many', kid: 'd' }] })
  })

  it('that share a kid are not taken by halves', () => {
    const added = addPublished(immutableKeys([['a', '1', 10]]), published(['b', '2'], ['b', '3'], ['c', '4']), {
      now: 50,
      maxKeys: 2,
    })
    expect(kidsOf(added)).toEqual(['a', 'c'])
    expect(added.refused).toEqual({ count: 1, first: [{ reason: 'too-many', kid: 'b' }] })
  })

  it('may have any name for a kid', () => {
    const added = addPublished(undefined, published(['__proto__', '1'], ['constructor', '2'], ['', '3']), roomy)
    expect(kidsOf(added)).toEqual(['__proto__', 'constructor', ''])
    expect(kidsOf(forget(added, '__proto__', 60))).toEqual(['constructor', ''])
  })
})

describe('a forgotten key', () => {
  it('is gone alone', () => {
    const left = forget(
      immutableKeys([
        ['a', '1', 10],
        ['b', '2', 10],
      ]),
      'a',
      20,
    )
    expect(contentOf(left)).toEqual(contentOf(immutableKeys([['b', '2', 10]], [['a', 20]])))
  })

  it('can be learned anew in the same millisecond, with the same material, too', () => {
    const left = forget(immutableKeys([['a', '1', 50]]), 'a', 50)
    const added = addPublished(left, published(['a', '1']), roomy)
    expect(kidsOf(added)).toEqual(['a'])
    expect(kidsOf(unite(left, added, 100))).toEqual(['a'])
  })

  it('can be forgotten once more in the same millisecond', () => {
    const again = addPublished(forget(immutableKeys([['a', '1', 50]]), 'a', 50), published(['a', '1']), roomy)
    expect(kidsOf(unite(again, forget(again, 'a', 50), 100))).toEqual([])
  })

  it('is forgotten by a process that learned it before', () => {
    const left = forget(
      immutableKeys([
        ['a', '1', 10],
        ['b', '2', 10],
      ]),
      'a',
      20,
    )
    for (const at of [5, 10, 20]) {
      const other = immutableKeys([
        ['a', '1', at],
        ['c', '3', at],
      ])
      expect(kidsOf(unite(other, left, 100)).toSorted()).toEqual(['b', 'c'])
      expect(kidsOf(unite(left, other, 100)).toSorted()).toEqual(['b', 'c'])
    }
  })

  it('stays with a process that learned it later', () => {
    const left = forget(immutableKeys([['a', '1', 10]]), 'a', 20)
    const other = immutableKeys([['a', '2', 21]])
    expect(contentOf(unite(left, other, 100))).toEqual(contentOf(immutableKeys([['a', '2', 21]], [['a', 20]])))
  })

  it('is remembered among the last thousand', () => {
    let keys = immutableKeys([])
    for (let at = 1; at <= 1_001; at += 1)
      keys = forget(immutableKeys([[`k${at}`, '1', 0]], keys.history.forgottenAt), `k${at}`, at)
    expect(keys.history.forgottenAt).toHaveLength(1_000)
    expect(keys.history.forgottenAt[0]).toEqual(['k2', 2])
    const other = forget(immutableKeys([['other', '1', 0]]), 'other', 2_000)
    const both = unite(keys, other, 100).history.forgottenAt
    expect(both).toHaveLength(1_000)
    expect(both.at(-1)).toEqual(['other', 2_000])
    expect(unite(other, keys, 100).history.forgottenAt).toEqual(both)
  })
})

describe('keys of two processes', () => {
  it('are all there', () => {
    const both = unite(immutableKeys([['a', '1', 10]]), immutableKeys([['b', '2', 20]]), 100)
    expect(contentOf(both)).toEqual(
      contentOf(
        immutableKeys([
          ['a', '1', 10],
          ['b', '2', 20],
        ]),
      ),
    )
  })

  it('are those of the other where nothing is known', () => {
    const other = immutableKeys([['a', '1', 10]], [['b', 20]])
    expect(contentOf(unite(undefined, other, 100))).toEqual(contentOf(other))
  })

  it('are the ones that were learned first where they share a kid', () => {
    const [early, late] = [immutableKeys([['a', '1', 10]]), immutableKeys([['a', '2', 20]])]
    for (const both of [unite(early, late, 100), unite(late, early, 100)])
      expect(contentOf(both)).toEqual(contentOf(early))
  })

  it('are never more than maxKeys, and the own ones are among them', () => {
    const own = immutableKeys([
      ['c', '3', 30],
      ['d', '4', 40],
    ])
    const other = immutableKeys([
      ['a', '1', 10],
      ['b', '2', 20],
    ])
    expect(kidsOf(unite(own, other, 3))).toEqual(['c', 'd', 'a'])
  })

  it('lack a kid whose key could not be read, although it is known when it was learned', () => {
    const { history } = immutableKeys([['a', '1', 10]])
    const broken = { keySet: createKeySet([]), history }
    expect(unite(undefined, broken, 100).history.learnedAt).toEqual([])
    expect(kidsOf(unite(broken, immutableKeys([['a', '2', 20]]), 100))).toEqual(['a'])
  })
})

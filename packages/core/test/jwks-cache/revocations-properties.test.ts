import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRevocations, mergeRevocations, type Revocation } from '../../src/jwks-cache/usable-keys.ts'

const runs = { numRuns: 1_000 }
const kids = ['a', 'b', '__proto__']
const ids = [1, 2, 3, 4].map((digit) => String(digit).repeat(32))

/** A record of one of a few revocations, as some process may have it; its `kid` never changes. */
const record: fc.Arbitrary<Revocation> = fc
  .record({
    number: fc.nat(3),
    thumbprints: fc.uniqueArray(fc.constantFrom('x', 'y', 'z')),
    isLifted: fc.boolean(),
  })
  .map(({ number, thumbprints, isLifted }) => ({
    id: ids[number] ?? '',
    kid: kids[number % kids.length] ?? '',
    thumbprints,
    isLifted,
  }))
const records = fc.array(record, { maxLength: 12 })
/** Several records of one revocation. */
const one = fc
  .tuple(record, record, record)
  .map(([a, b, c]) => [a, { ...b, id: a.id, kid: a.kid }, { ...c, id: a.id, kid: a.kid }] as const)

const sorted = (it: Revocation) => ({ ...it, thumbprints: it.thumbprints.toSorted() })
const contentOf = (known: readonly Revocation[]) => known.map(sorted).toSorted((a, b) => (a.id < b.id ? -1 : 1))

function known(...lists: readonly (readonly Revocation[])[]) {
  const revocations = createRevocations()
  for (const it of lists.flat()) revocations.merge(it)
  return revocations
}

describe('merging two records of one revocation', () => {
  it('gives the same result in any order and grouping, any number of times', () => {
    fc.assert(
      fc.property(one, ([a, b, c]) => {
        expect(sorted(mergeRevocations(a, b))).toEqual(sorted(mergeRevocations(b, a)))
        expect(sorted(mergeRevocations(mergeRevocations(a, b), c))).toEqual(
          sorted(mergeRevocations(a, mergeRevocations(b, c))),
        )
        expect(sorted(mergeRevocations(a, a))).toEqual(sorted(a))
        expect(mergeRevocations(undefined, a)).toEqual(a)
      }),
      runs,
    )
  })

  it('gives a record that is lifted if either is, with the thumbprints of both', () => {
    fc.assert(
      fc.property(one, ([a, b]) => {
        const { isLifted, thumbprints } = mergeRevocations(a, b)
        expect(isLifted).toBe(a.isLifted || b.isLifted)
        expect(new Set(thumbprints)).toEqual(new Set([...a.thumbprints, ...b.thumbprints]))
      }),
      runs,
    )
  })
})

describe('merging the records of several processes', () => {
  it('gives the same result in any order and grouping, any number of times', () => {
    fc.assert(
      fc.property(records, records, records, (a, b, c) => {
        const all = contentOf(known(a, b, c).records())
        expect(contentOf(known(c, a, b, a).records())).toEqual(all)
        expect(contentOf(known(known(a, b).records(), c).records())).toEqual(all)
        expect(contentOf(known(a, known(b, c).records()).records())).toEqual(all)
      }),
      runs,
    )
  })

  it('revokes a kid exactly where one of its revocations was not lifted', () => {
    fc.assert(
      fc.property(records, (list) => {
        const revocations = known(list)
        for (const kid of kids) {
          const ofKid = list.filter((it) => it.kid === kid)
          const isRevoked = ofKid.some(({ id }) => ofKid.every((it) => it.id !== id || !it.isLifted))
          expect(revocations.has(kid)).toBe(isRevoked)
        }
      }),
      runs,
    )
  })

  it('says of each record whether it has changed anything', () => {
    fc.assert(
      fc.property(records, (list) => {
        const revocations = createRevocations()
        for (const it of list) {
          const before = contentOf(revocations.records())
          const hasChanged = revocations.merge(it)
          expect(hasChanged).toBe(JSON.stringify(contentOf(revocations.records())) !== JSON.stringify(before))
        }
      }),
      runs,
    )
  })

  it('keeps a revocation lifted, whichever process still has it unlifted', () => {
    fc.assert(
      fc.property(records, fc.constantFrom(...kids), (list, kid) => {
        const revocations = known(list)
        revocations.lift(kid)
        for (const it of list) revocations.merge({ ...it, isLifted: false })
        expect(revocations.has(kid)).toBe(false)
        const later = { id: 'f'.repeat(32), kid, thumbprints: [], isLifted: false }
        revocations.merge(later)
        for (const it of list) revocations.merge({ ...it, isLifted: true })
        expect(revocations.has(kid)).toBe(true)
      }),
      runs,
    )
  })
})

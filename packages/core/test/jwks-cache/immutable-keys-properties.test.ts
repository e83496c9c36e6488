import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addPublished, forget, type ImmutableKeys, unite } from '../../src/jwks-cache/usable-keys.ts'
import { contentOf, immutableKeys, kidsOf, published } from './immutable-scene.ts'

const runs = { numRuns: 500 }
const kid = fc.constantFrom('a', 'b', 'c', 'd', '__proto__')
const time = fc.nat(12)

/** Keys that were learned and forgotten at some time. What was learned of a `kid` at one time is one material. */
const learned = fc
  .uniqueArray(fc.tuple(kid, time), { selector: ([name]) => name })
  .map((pairs) => immutableKeys(pairs.map(([name, at]) => [name, `${name} ${at}`, at])))
const forgetful: fc.Arbitrary<ImmutableKeys> = fc
  .tuple(learned, fc.uniqueArray(fc.tuple(kid, time), { selector: ([name]) => name }))
  .map(([keys, times]) => unite(keys, immutableKeys([], times), 100))

const together = (one: ImmutableKeys, other: ImmutableKeys) => unite(one, other, 100)
const forgottenAt = ({ history }: ImmutableKeys, name: string) => new Map(history.forgottenAt).get(name) ?? -1

describe('unite', () => {
  it('does not depend on which of two comes first', () => {
    fc.assert(
      fc.property(forgetful, forgetful, (one, other) => {
        expect(contentOf(together(one, other))).toEqual(contentOf(together(other, one)))
      }),
      runs,
    )
  })

  it('does not depend on which of three meet first, as long as nothing was forgotten', () => {
    fc.assert(
      fc.property(learned, learned, learned, (a, b, c) => {
        expect(contentOf(together(together(a, b), c))).toEqual(contentOf(together(a, together(b, c))))
      }),
      runs,
    )
  })

  it('of three has only keys that one of them has and none has forgotten, whichever meet first', () => {
    fc.assert(
      fc.property(forgetful, forgetful, forgetful, (a, b, c) => {
        const [left, right] = [together(together(a, b), c), together(a, together(b, c))]
        expect(contentOf(left).forgottenAt).toEqual(contentOf(right).forgottenAt)
        const known = [a, b, c].flatMap((keys) => contentOf(keys).materials)
        for (const met of [left, right]) {
          expect(known).toEqual(expect.arrayContaining(contentOf(met).materials))
          for (const [name, at] of met.history.learnedAt) expect(at).toBeGreaterThan(forgottenAt(met, name))
        }
        expect(contentOf(together(left, right))).toEqual(contentOf(together(right, left)))
      }),
      runs,
    )
  })

  it('changes nothing when it is done again', () => {
    fc.assert(
      fc.property(forgetful, forgetful, (one, other) => {
        const both = together(one, other)
        expect(contentOf(together(one, one))).toEqual(contentOf(one))
        expect(contentOf(together(both, other))).toEqual(contentOf(both))
        expect(contentOf(together(one, both))).toEqual(contentOf(both))
      }),
      runs,
    )
  })

  it('keeps of each kid what was learned first since it was forgotten', () => {
    fc.assert(
      fc.property(forgetful, forgetful, (one, other) => {
        const both = together(one, other)
        for (const name of ['a', 'b', 'c', 'd', '__proto__']) {
          const since = Math.max(forgottenAt(one, name), forgottenAt(other, name))
          const times = [one, other].flatMap(({ history }) => {
            const at = new Map(history.learnedAt).get(name)
            return at === undefined || at <= since ? [] : [at]
          })
          const expected = times.length === 0 ? [] : published([name, `${name} ${Math.min(...times)}`]).keys
          expect((both.keySet.byKid.get(name) ?? []).map(({ identity }) => identity)).toEqual(
            expected.map(({ identity }) => identity),
          )
        }
      }),
      runs,
    )
  })

  it('never exceeds maxKeys, and drops no known key that was not forgotten', () => {
    fc.assert(
      fc.property(learned, learned, fc.integer({ min: 0, max: 5 }), (one, other, room) => {
        const maxKeys = one.keySet.keys.length + room
        const both = unite(one, other, maxKeys)
        expect(both.keySet.keys.length).toBeLessThanOrEqual(maxKeys)
        expect(kidsOf(both)).toEqual(expect.arrayContaining([...kidsOf(one)]))
        expect(both.history.learnedAt.map(([name]) => name).toSorted()).toEqual(kidsOf(both).toSorted())
      }),
      runs,
    )
  })
})

type Step =
  | { readonly kind: 'answer'; readonly material: number; readonly kids: readonly string[] }
  | { readonly kind: 'forget'; readonly kid: string }
  | { readonly kind: 'load' | 'save' | 'wait' }

const steps: fc.Arbitrary<readonly (Step & { readonly of: 0 | 1 })[]> = fc.array(
  fc
    .tuple(
      fc.constantFrom<0 | 1>(0, 1),
      fc.oneof(
        fc.record({ kind: fc.constant('answer' as const), material: fc.nat(3), kids: fc.uniqueArray(kid) }),
        fc.record({ kind: fc.constant('forget' as const), kid }),
        fc.record({ kind: fc.constantFrom('load' as const, 'save' as const, 'wait' as const) }),
      ),
    )
    .map(([of, step]) => ({ ...step, of })),
  { maxLength: 40 },
)

describe('two processes and a store, step by step', () => {
  it('never change the material under a kid by what is published, nor hold more than maxKeys', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const maxKeys = 3
        const processes: [ImmutableKeys, ImmutableKeys] = [immutableKeys([]), immutableKeys([])]
        let store = immutableKeys([])
        let now = 1
        for (const step of taken) {
          const before = processes[step.of]
          let after = before
          if (step.kind === 'wait') now += 1
          if (step.kind === 'load') after = unite(before, store, maxKeys)
          if (step.kind === 'save') {
            after = unite(before, store, maxKeys)
            store = after
          }
          if (step.kind === 'forget' && before.keySet.byKid.has(step.kid)) after = forget(before, step.kid, now)
          if (step.kind === 'answer') {
            const keys = step.kids.map((name) => [name, `${name} ${step.material}`] as const)
            after = addPublished(before, published(...keys), { now, maxKeys })
          }
          const areKept = before.keySet.keys.every((key) => after.keySet.keys.includes(key))
          expect(areKept || step.kind !== 'answer').toBe(true)
          expect(after.keySet.keys.length).toBeLessThanOrEqual(maxKeys)
          processes[step.of] = after
        }
      }),
      runs,
    )
  })

  it('have no key any more that one of them forgot last, once both have met through the store', () => {
    fc.assert(
      fc.property(steps, kid, (taken, forgotten) => {
        const processes: [ImmutableKeys, ImmutableKeys] = [immutableKeys([]), immutableKeys([])]
        let store = immutableKeys([])
        let now = 1
        for (const step of taken) {
          const before = processes[step.of]
          if (step.kind === 'wait') now += 1
          if (step.kind === 'load' || step.kind === 'save') processes[step.of] = unite(before, store, 100)
          if (step.kind === 'save') store = processes[step.of]
          if (step.kind !== 'answer') continue
          const keys = step.kids.map((name) => [name, `${name} ${step.material}`] as const)
          processes[step.of] = addPublished(before, published(...keys), { now, maxKeys: 100 })
        }
        const [one, other] = processes
        if (!one.keySet.byKid.has(forgotten)) return
        const left = forget(one, forgotten, now)
        const met = unite(other, unite(left, store, 100), 100)
        expect(kidsOf(met)).not.toContain(forgotten)
        expect(kidsOf(unite(left, met, 100))).not.toContain(forgotten)
        expect(kidsOf(addPublished(met, published([forgotten, 'new']), { now, maxKeys: 100 }))).toContain(forgotten)
      }),
      runs,
    )
  })
})

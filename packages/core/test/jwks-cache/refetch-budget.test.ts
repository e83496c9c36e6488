import { describe, expect, it } from 'vitest'
import type { Instant } from '../../src/base/clock.ts'
import type { VerificationKey } from '../../src/jwks/verification-key.ts'
import { createRefetchBudget, createRefusedKids } from '../../src/jwks-cache/unknown-kid.ts'
import { published } from './immutable-scene.ts'

const COOLDOWN = 10_000

/** Both clocks show the same time. */
function at(time: number): Instant {
  return { wall: time, monotonic: time }
}

function keyOf(material: string): VerificationKey {
  const [key] = published([material, material]).keys
  if (key === undefined) throw new Error('the set is empty')
  return key
}

function createBudget(refused = createRefusedKids(), name = 'acme\nmain') {
  const budget = createRefetchBudget(name, refused)
  const mayRefetch = (kid: string | undefined, now: Instant): boolean => budget.mayRefetch(kid, COOLDOWN, now)
  const refuse = (kid: string, now: Instant): void => budget.refuse(kid, COOLDOWN, now)
  return { ...budget, mayRefetch, refuse }
}

describe('the cooldown', () => {
  it('allows the first refetch at once and the next one after it', () => {
    const budget = createBudget()
    expect(budget.mayRefetch('a', at(0))).toBe(true)
    budget.spend(at(0))
    expect(budget.mayRefetch('b', at(9_999))).toBe(false)
    expect(budget.mayRefetch(undefined, at(9_999))).toBe(false)
    expect(budget.mayRefetch('b', at(10_000))).toBe(true)
    expect(budget.mayRefetch(undefined, at(10_000))).toBe(true)
  })

  it.each([
    ['the monotonic clock, where the wall clock was set back', { wall: -1_000_000_000, monotonic: 10_000 }],
    ['the wall clock, where the machine was suspended', { wall: 10_000, monotonic: 1 }],
  ])('ends by %s', (_, now) => {
    const budget = createBudget()
    budget.spend(at(0))
    budget.refuse('bogus', at(0))
    expect(budget.mayRefetch('bogus', now)).toBe(true)
    expect(budget.mayRefetch(undefined, now)).toBe(true)
  })

  it('does not last longer where the wall clock was ahead when it began', () => {
    const budget = createBudget()
    budget.spend({ wall: 31_536_000_000, monotonic: 0 })
    budget.refuse('bogus', { wall: 31_536_000_000, monotonic: 0 })
    expect(budget.mayRefetch('bogus', at(9_999))).toBe(false)
    expect(budget.mayRefetch('bogus', at(10_000))).toBe(true)
  })
})

describe('a signature that verifies', () => {
  it('returns the budget where the refetch brought the key', () => {
    const budget = createBudget()
    const key = keyOf('new')
    budget.spend(at(0))
    budget.brought([key])
    expect(budget.mayRefetch('b', at(1))).toBe(false)
    expect(budget.signatureVerified(key, at(1))).toBe(true)
    expect(budget.mayRefetch('b', at(1))).toBe(true)
  })

  it('returns nothing where the key was there before, or equals one that the refetch brought', () => {
    const budget = createBudget()
    budget.spend(at(0))
    budget.brought([keyOf('new')])
    expect(budget.signatureVerified(keyOf('old'), at(1))).toBe(false)
    expect(budget.signatureVerified(keyOf('new'), at(1))).toBe(false)
    expect(budget.mayRefetch('b', at(1))).toBe(false)
  })

  it('returns nothing where an earlier refetch brought the key', () => {
    const budget = createBudget()
    const key = keyOf('new')
    budget.spend(at(0))
    budget.brought([key])
    budget.spend(at(10_000))
    expect(budget.signatureVerified(key, at(10_001))).toBe(false)
    expect(budget.mayRefetch('b', at(10_001))).toBe(false)
  })

  it('returns the budget once for one refetch', () => {
    const budget = createBudget()
    const keys = [keyOf('one'), keyOf('two')]
    budget.spend(at(0))
    budget.brought(keys)
    expect(keys.map((key) => budget.signatureVerified(key, at(5_000)))).toEqual([true, false])
  })

  it.each([
    ['both clocks', at(1_999), at(2_000)],
    ['the monotonic clock alone', { wall: -90_000, monotonic: 1_999 }, { wall: -90_000, monotonic: 2_000 }],
    ['the wall clock alone', { wall: 1_999, monotonic: 1_000 }, { wall: 2_000, monotonic: 1_000 }],
  ])('returns the budget once per second at most, by %s', (_, early, late) => {
    const budget = createBudget()
    const [first, second] = [keyOf('first'), keyOf('second')]
    budget.spend(at(0))
    budget.brought([first])
    expect(budget.signatureVerified(first, at(1_000))).toBe(true)
    budget.spend(at(1_000))
    budget.brought([second])
    expect(budget.signatureVerified(second, early)).toBe(false)
    expect(budget.signatureVerified(second, late)).toBe(true)
  })
})

describe('a refused kid', () => {
  it('causes no refetch for the rest of the cooldown, although the budget was returned', () => {
    const budget = createBudget()
    const key = keyOf('new')
    budget.spend(at(0))
    budget.brought([key])
    budget.refuse('bogus', at(0))
    budget.signatureVerified(key, at(1))
    expect(budget.mayRefetch('bogus', at(9_999))).toBe(false)
    expect(budget.mayRefetch('other', at(9_999))).toBe(true)
    expect(budget.mayRefetch('bogus', at(10_000))).toBe(true)
  })

  it('is remembered from when the refetch began, also where a later refresh does not find it again', () => {
    const budget = createBudget()
    budget.spend(at(0))
    budget.refuse('bogus', at(400))
    budget.refuse('bogus', at(9_000))
    expect(budget.mayRefetch('bogus', at(9_999))).toBe(false)
    expect(budget.mayRefetch('bogus', at(10_000))).toBe(true)
  })

  it('is remembered from a fetch that did not find it where no refetch was made', () => {
    const budget = createBudget()
    budget.refuse('bogus', at(5_000))
    expect(budget.mayRefetch('other', at(5_001))).toBe(true)
    expect(budget.mayRefetch('bogus', at(14_999))).toBe(false)
    expect(budget.mayRefetch('bogus', at(15_000))).toBe(true)
  })

  it('causes no refetch and is not remembered when it is longer than 256 bytes', () => {
    const refused = createRefusedKids()
    const budget = createBudget(refused)
    expect(budget.mayRefetch('k'.repeat(256), at(0))).toBe(true)
    expect(budget.mayRefetch('é'.repeat(128), at(0))).toBe(true)
    for (const kid of ['k'.repeat(257), 'é'.repeat(129)]) {
      expect(budget.mayRefetch(kid, at(0))).toBe(false)
      budget.spend(at(0))
      budget.refuse(kid, at(0))
    }
    expect(refused.size).toBe(0)
  })

  it('is remembered for its own key set only', () => {
    const refused = createRefusedKids()
    const one = createBudget(refused, 'one')
    one.spend(at(0))
    one.refuse('bogus', at(0))
    expect(createBudget(refused, 'one').mayRefetch('bogus', at(1))).toBe(false)
    expect(createBudget(refused, 'other').mayRefetch('bogus', at(1))).toBe(true)
  })

  it('is remembered within a bound, however many key sets and kids there are', () => {
    const refused = createRefusedKids()
    for (let set = 0; set < 20; set += 1) {
      const budget = createBudget(refused, `set-${set}`)
      budget.spend(at(0))
      for (let kid = 0; kid < 1_000; kid += 1) budget.refuse(`bogus-${kid}`, at(0))
    }
    expect(refused.size).toBe(10_000)
  })
})

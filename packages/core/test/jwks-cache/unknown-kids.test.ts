import { describe, expect, it } from 'vitest'
import { createRefusedKids, createUnknownKids } from '../../src/jwks-cache/refetch-budget.ts'

function unknownKids(cooldown = 10_000, refused = createRefusedKids(), provider = 'acme\nmain') {
  return createUnknownKids(provider, cooldown, refused)
}

describe('the budget for unknown kids', () => {
  it('has the first look free and the next one after the cooldown', () => {
    const kids = unknownKids()
    expect(kids.mayLook('a', 0)).toBe(true)
    kids.spend(0)
    expect(kids.mayLook('b', 9_999)).toBe(false)
    expect(kids.mayLook(undefined, 9_999)).toBe(false)
    expect(kids.mayLook('b', 10_000)).toBe(true)
    expect(kids.mayLook(undefined, 10_000)).toBe(true)
  })

  it('is given back by a look that found what it was for', () => {
    const kids = unknownKids()
    kids.giveBack(kids.spend(0))
    expect(kids.mayLook('b', 1)).toBe(true)
  })

  it('stays spent where an earlier look is given back', () => {
    const kids = unknownKids()
    const earlier = kids.spend(0)
    kids.spend(10_000)
    kids.giveBack(earlier)
    expect(kids.mayLook('b', 10_001)).toBe(false)
  })

  it('refuses a kid that a look did not find for the rest of the cooldown, although the budget is there again', () => {
    const kids = unknownKids()
    const look = kids.spend(0)
    kids.remember('bogus')
    kids.giveBack(look)
    expect(kids.mayLook('bogus', 9_999)).toBe(false)
    expect(kids.mayLook('other', 9_999)).toBe(true)
    expect(kids.mayLook('bogus', 10_000)).toBe(true)
  })

  it('counts that rest from when the look began, not from when it ended', () => {
    const kids = unknownKids()
    kids.spend(5_000)
    kids.remember('bogus')
    expect(kids.mayLook('bogus', 15_000)).toBe(true)
  })

  it('refuses a kid of more than 256 bytes without a look and without remembering it', () => {
    const refused = createRefusedKids()
    const kids = unknownKids(10_000, refused)
    expect(kids.mayLook('k'.repeat(256), 0)).toBe(true)
    expect(kids.mayLook('k'.repeat(257), 0)).toBe(false)
    expect(kids.mayLook('é'.repeat(129), 0)).toBe(false)
    kids.remember('k'.repeat(257))
    kids.remember('é'.repeat(129))
    expect(refused.size).toBe(0)
  })

  it('remembers each refused kid for its own provider only', () => {
    const refused = createRefusedKids()
    const one = unknownKids(10_000, refused, 'acme\nmain')
    const other = unknownKids(10_000, refused, 'globex\nmain')
    const look = one.spend(0)
    one.remember('bogus')
    one.giveBack(look)
    expect(one.mayLook('bogus', 1)).toBe(false)
    expect(other.mayLook('bogus', 1)).toBe(true)
  })

  it('remembers within a bound, however many providers and kids there are', () => {
    const refused = createRefusedKids()
    for (let provider = 0; provider < 20; provider += 1) {
      const kids = unknownKids(10_000, refused, `tenant-${provider}\nmain`)
      kids.spend(0)
      for (let kid = 0; kid < 1_000; kid += 1) kids.remember(`bogus-${kid}`)
    }
    expect(refused.size).toBe(10_000)
  })
})

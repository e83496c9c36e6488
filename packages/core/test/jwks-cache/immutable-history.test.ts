import { describe, expect, it } from 'vitest'
import { isSameHistory } from '../../src/jwks-cache/usable-keys.ts'

describe('histories', () => {
  const history = {
    learnedAt: [
      ['a', 1],
      ['b', 2],
    ],
    forgottenAt: [
      ['c', 3],
      ['d', 4],
    ],
  } as const

  it('are the same in any order', () => {
    const other = { learnedAt: history.learnedAt.toReversed(), forgottenAt: history.forgottenAt.toReversed() }
    expect(isSameHistory(history, other)).toBe(true)
  })

  it.each([
    ['one more kid', { ...history, learnedAt: [...history.learnedAt, ['e', 5] as const] }],
    ['one kid less', { ...history, learnedAt: history.learnedAt.slice(1) }],
    [
      'another time',
      {
        ...history,
        learnedAt: [
          ['a', 1],
          ['b', 3],
        ] as const,
      },
    ],
    [
      'another forgotten kid',
      {
        ...history,
        forgottenAt: [
          ['c', 3],
          ['e', 4],
        ] as const,
      },
    ],
    [
      'a later forgetting',
      {
        ...history,
        forgottenAt: [
          ['c', 3],
          ['d', 5],
        ] as const,
      },
    ],
  ])('differ by %s', (_, other) => {
    expect(isSameHistory(history, other)).toBe(false)
    expect(isSameHistory(other, history)).toBe(false)
  })

  it('differ from none', () => {
    expect(isSameHistory(undefined, { learnedAt: [], forgottenAt: [] })).toBe(false)
  })
})

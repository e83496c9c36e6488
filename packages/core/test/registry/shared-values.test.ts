import { describe, expect, it } from 'vitest'
import { createSharedValues } from '../../src/registry/registry-options.ts'

describe('values that are equal', () => {
  it('are one object from then on', () => {
    const share = createSharedValues<object>()
    const first = { list: [1], name: 'a' }
    expect(share(first)).toBe(first)
    expect(share({ list: [1], name: 'a' })).toBe(first)
    expect(share({ list: [2], name: 'a' })).not.toBe(first)
  })

  it('are not shared beyond a thousand different ones, and nothing else comes of that', () => {
    const share = createSharedValues<{ readonly at: number }>()
    const values = Array.from({ length: 1_500 }, (_, at) => share({ at }))
    expect(values.map(({ at }) => at)).toEqual(values.map((_, at) => at))
    expect(share({ at: 1_499 })).toBe(values[1_499])
    expect(share({ at: 0 })).not.toBe(values[0])
  })
})

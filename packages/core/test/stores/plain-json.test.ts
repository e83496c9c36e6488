import fc from 'fast-check'
import { expect, it } from 'vitest'
import { plainJson } from '../../src/stores/integrity.ts'

it('leaves JSON as it is', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.stringify(plainJson(value))).toBe(JSON.stringify(value))
    }),
  )
})

it('makes nothing of nothing', () => {
  expect(plainJson(undefined)).toBeUndefined()
})

it.each([1n, Symbol('s'), () => undefined, Object.assign([], { toJSON: () => undefined })])(
  'makes null of %s',
  (value) => {
    expect(plainJson(value)).toBeNull()
  },
)

it('makes null of what holds itself', () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  expect(plainJson(circular)).toBeNull()
})

it('makes plain members of those that are read with a function', () => {
  let reads = 0
  const shifty = Object.defineProperty({}, 'version', {
    enumerable: true,
    get() {
      reads += 1
      return reads
    },
  })
  const plain = plainJson(shifty)
  expect([plain, plain]).toEqual([{ version: 1 }, { version: 1 }])
})

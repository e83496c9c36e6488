import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOfJson, cloneJson, isJsonData } from '../../src/auth/auth.ts'

/** Every object in a value. */
function objectsIn(value: unknown): readonly object[] {
  return typeof value !== 'object' || value === null ? [] : [value, ...Object.values(value).flatMap(objectsIn)]
}

function nested(depth: number): unknown {
  return depth === 0 ? 'leaf' : { in: nested(depth - 1) }
}

describe('JSON data', () => {
  it('is cloned completely, and shares nothing with its clone', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (given) => {
        const value = JSON.parse(JSON.stringify(given))
        const copy = cloneJson(value)
        expect(copy).toStrictEqual(value)
        const originals = new Set(objectsIn(value))
        expect(objectsIn(copy).filter((object) => originals.has(object))).toEqual([])
      }),
    )
  })

  it('keeps a member that is named __proto__ a member', () => {
    const value = JSON.parse('{"__proto__":{"admin":true},"a":{"__proto__":[1]}}')
    const copy = cloneJson(value)
    expect(Object.keys(copy)).toEqual(['__proto__', 'a'])
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
    expect(Object.getPrototypeOf(copy.a)).toBe(Object.prototype)
    expect(copy.admin).toBeUndefined()
  })

  it.each([
    ['a number', 1],
    ['null', null],
    ['nothing', undefined],
    ['a list', [1, [2], { a: 3 }]],
    ['an object', { a: { b: ['c'] }, d: undefined }],
    ['32 levels', nested(32)],
  ])('is %s', (_, value) => {
    expect(isJsonData(value)).toBe(true)
  })

  class Instance {
    a = 1
  }
  it.each<[string, unknown]>([
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a set', new Set()],
    ['a regular expression', /a/],
    ['an instance', new Instance()],
    ['an instance within', { a: [new Instance()] }],
    ['an object without a prototype', Object.create(null)],
    ['a list of a class of its own', new (class extends Array {})()],
    ['a list with holes', Array(2)],
    ['a list with a member', Object.assign([1], { a: 1 })],
    ['a hidden member', Object.defineProperty({}, 'a', { value: 1 })],
    ['a symbol as a name', { [Symbol('a')]: 1 }],
    ['an accessor', Object.defineProperty({}, 'a', { get: () => 1, enumerable: true })],
    ['33 levels', nested(33)],
  ])('is not %s', (_, value) => {
    expect(isJsonData(value)).toBe(false)
  })

  it('is not what contains itself', () => {
    const value: unknown[] = []
    value.push(value, value)
    expect(isJsonData(value)).toBe(false)
  })
})

describe('the bytes of JSON', () => {
  it('grow with names, values and members', () => {
    const small = bytesOfJson({ a: 'b' })
    for (const larger of [{ aa: 'b' }, { a: 'bb' }, { a: 'b', c: 1 }, { a: ['b'] }, { a: { b: 'b' } }]) {
      expect(bytesOfJson(larger)).toBeGreaterThan(small)
    }
  })

  it('are without end for what nests more than 32 levels', () => {
    expect(bytesOfJson(nested(32))).toBeLessThan(10_000)
    expect(bytesOfJson(nested(33))).toBe(Number.POSITIVE_INFINITY)
    expect(bytesOfJson(JSON.parse('['.repeat(8_000) + ']'.repeat(8_000)))).toBe(Number.POSITIVE_INFINITY)
  })
})

import { describe, expect, it } from 'vitest'
import {
  argumentOptions,
  boolean,
  booleanOption,
  choice,
  choiceOption,
  identifierOption,
  integer,
  integerOption,
  knownOptions,
  memberOptions,
  objectOption,
  optional,
  readOptions,
  stringListOption,
  stringOption,
  stringsOption,
} from '../../src/base/options.ts'

describe('an option of the wrong kind is a TypeError that names it', () => {
  it.each<[string, (name: string) => unknown]>([
    ['null for an object', (name) => objectOption(name, null)],
    ['a list for an object', (name) => objectOption(name, [])],
    ['a function for an object', (name) => objectOption(name, () => undefined)],
    ['a string for a number', (name) => integerOption(name, '1', { min: 0 })],
    ['a fraction', (name) => integerOption(name, 1.5, { min: 0 })],
    ['NaN', (name) => integerOption(name, Number.NaN, { min: 0 })],
    ['infinity', (name) => integerOption(name, Number.POSITIVE_INFINITY, { min: 0 })],
    ['a number past what is exact', (name) => integerOption(name, 2 ** 53, { min: 0 })],
    ['less than the least', (name) => integerOption(name, 0, { min: 1 })],
    ['more than the most', (name) => integerOption(name, 3, { min: 1, max: 2 })],
    ['a bigint', (name) => integerOption(name, 1n, { min: 0 })],
    ['null for a number', (name) => readOptions('', { [name]: null }, { [name]: integer({ min: 0 }, 1) })],
    ['1 for a boolean', (name) => booleanOption(name, 1)],
    ['"true" for a boolean', (name) => booleanOption(name, 'true')],
    ['an empty string', (name) => stringOption(name, '')],
    ['a number for a string', (name) => stringOption(name, 1)],
    ['a string for a list', (name) => stringListOption(name, 'a')],
    ['a list with an empty string', (name) => stringListOption(name, ['a', ''])],
    ['an empty list', (name) => stringsOption(name, [])],
    ['an object for strings', (name) => stringsOption(name, {})],
    ['a word that is no choice', (name) => choiceOption(name, 'c', ['a', 'b'])],
    ['a choice in another case', (name) => choiceOption(name, 'A', ['a', 'b'])],
    ['an unknown member', (name) => knownOptions(name, { typo: 1 }, ['type'])],
  ])('%s', (_, check) => {
    expect(() => check('theOption')).toThrow(TypeError)
    expect(() => check('theOption')).toThrow('theOption')
  })

  it('says which of a list is wrong', () => {
    expect(() => stringListOption('names', ['a', 2])).toThrow('names[1]')
  })

  it.each([
    ['isuer', 'register has no option "isuer"; did you mean "issuer"?'],
    ['JWKSURI', 'register has no option "JWKSURI"; did you mean "jwksUri"?'],
    ['jwks_uri', 'register has no option "jwks_uri"; did you mean "jwksUri"?'],
    ['audiense', 'register has no option "audiense"; did you mean "audience"?'],
    ['issuerBaseURL', 'register has no option "issuerBaseURL"; did you mean "issuer"?'],
    ['AUDIENCES', 'register has no option "AUDIENCES"; did you mean "audience"?'],
    ['unknownKid', 'register has no option "unknownKid"; did you mean "unknownKidCooldown"?'],
    ['x', 'register has no option "x"'],
    ['clockSkew', 'register has no option "clockSkew"'],
    ['jwksPublished', 'register has no option "jwksPublished"'],
    ['completelyDifferent', 'register has no option "completelyDifferent"'],
    ['issuer'.repeat(1_000), `register has no option "${'issuer'.repeat(1_000)}"`],
  ])('names an unknown member, and the known one that it resembles: %.20s', (name, message) => {
    const known = ['audience', 'clock', 'issuer', 'jwks', 'jwksUri', 'maxKeys', 'unknownKidCooldown']
    expect(() => knownOptions('register', { [name]: 'a' }, known)).toThrow(new TypeError(message))
  })

  it('names all members where they are few, and none is like the unknown one', () => {
    const message = 'retryPolicy has no option "limit"; it takes a, b, c, d, e, f'
    expect(() => knownOptions('retryPolicy', { limit: 1 }, ['a', 'b', 'c', 'd', 'e', 'f'])).toThrow(
      new TypeError(message),
    )
  })

  it('takes undefined for absent', () => {
    expect(() => knownOptions('register', { isuer: undefined }, ['issuer'])).not.toThrow()
    expect(readOptions('', { max: undefined }, { max: integer({ min: 0 }, 7) })).toEqual({ max: 7 })
  })
})

describe('a table of options', () => {
  const table = {
    size: integer({ min: 1, max: 9 }, 5),
    limit: integer({ min: 1 }),
    isOpen: boolean(false),
    mode: choice(['fast', 'slow'], 'fast'),
    name: optional(stringOption),
    path: { check: stringOption },
  }

  it('gives each option its default where it is absent or undefined', () => {
    const defaults = { size: 5, limit: undefined, isOpen: false, mode: 'fast', name: undefined, path: 'a' }
    expect(readOptions('', { path: 'a', size: undefined }, table)).toEqual(defaults)
    expect(readOptions('', { path: 'a', other: 1 }, table)).not.toHaveProperty('other')
  })

  it('hands on what the checks return, and cannot be changed afterwards', () => {
    const given = { size: 9, limit: 100, isOpen: true, mode: 'slow', name: 'n', path: 'a' }
    const checked = readOptions('', given, table)
    expect(checked).toEqual(given)
    expect(checked).not.toBe(given)
    expect(Object.isFrozen(checked)).toBe(true)
    expect(readOptions('', { path: 'a' }, { path: optional(stringsOption) }).path).toEqual(['a'])
  })

  it.each([
    [{ path: 'a', size: 10 }, 'x.size must be a whole number from 1 to 9'],
    [{ path: 'a', size: null }, 'x.size must be a whole number from 1 to 9'],
    [{ path: 'a', limit: 0 }, 'x.limit must be a whole number of at least 1'],
    [{ path: 'a', isOpen: 0 }, 'x.isOpen must be true or false'],
    [{ path: 'a', mode: 'other' }, "x.mode must be one of 'fast', 'slow'"],
    [{}, 'x.path must be a non-empty string'],
    [{ path: 'a', sizes: 1 }, 'x has no option "sizes"; did you mean "size"?'],
    [[], 'x must be an object'],
  ])('refuses %j', (given, message) => {
    expect(() => memberOptions('x', given, table)).toThrow(new TypeError(message))
  })

  it('says which function was given no options', () => {
    expect(() => argumentOptions('f', null, table)).toThrow(new TypeError('f options must be an object'))
    expect(() => argumentOptions('f', { sizes: 1 }, table)).toThrow(/^f has no option "sizes"/)
    expect(argumentOptions('f', { path: 'a' }, table).path).toBe('a')
  })

  it('says bounds and choices, to compare documentation with', () => {
    expect(table.size).toMatchObject({ default: 5, bounds: { min: 1, max: 9 } })
    expect(table.mode).toMatchObject({ default: 'fast', choices: ['fast', 'slow'] })
  })
})

describe('the name of a tenant or a provider', () => {
  it.each(['a', 'A1', '_', '-', 'a.b', 'a..b', '__proto__', 'constructor', 'x'.repeat(64)])('may be %s', (name) => {
    expect(identifierOption('tenant', name)).toBe(name)
  })

  it.each([
    '',
    '.',
    '..',
    '.a',
    '../x',
    'a/b',
    'a:b',
    'a b',
    'a\n',
    'a\0b',
    'ä',
    'a%2e',
    'x'.repeat(65),
    1,
    null,
    undefined,
  ])('may not be %j', (name) => {
    expect(() => identifierOption('tenant', name)).toThrow(TypeError)
    expect(() => identifierOption('tenant', name)).toThrow('tenant')
  })
})

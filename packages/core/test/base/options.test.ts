import { describe, expect, it } from 'vitest'
import {
  booleanOption,
  choiceOption,
  identifierOption,
  integerOption,
  knownOptions,
  objectOption,
  stringListOption,
  stringOption,
  stringsOption,
  withDefault,
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
    ['null for a number', (name) => integerOption(name, withDefault(null, 1), { min: 0 })],
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
    ['x', 'register has no option "x"'],
    ['completelyDifferent', 'register has no option "completelyDifferent"'],
    ['issuer'.repeat(1_000), `register has no option "${'issuer'.repeat(1_000)}"`],
  ])('names an unknown member, and the known one that it resembles: %.20s', (name, message) => {
    const known = ['audience', 'issuer', 'jwks', 'jwksUri', 'maxKeys']
    expect(() => knownOptions('register', { [name]: 'a' }, known)).toThrow(new TypeError(message))
  })

  it('takes undefined for absent', () => {
    expect(() => knownOptions('register', { isuer: undefined }, ['issuer'])).not.toThrow()
    expect(withDefault(undefined, 7)).toBe(7)
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

import { validateHeaderName, validateHeaderValue } from 'node:http'
import {
  type AnyTable,
  type Check,
  type CheckedOptions,
  isObject,
  objectOption,
  readOptions,
} from '@jwks-auth/core/adapter'

/**
 * Refuses options that nothing would read, and values that cannot be meant; fills in the defaults.
 *
 * @throws TypeError naming the first offending option.
 */
export function checkOptions<Table extends AnyTable>(
  owner: string,
  options: unknown,
  table: Table,
): CheckedOptions<Table> {
  const given = objectOption(`${owner}: options`, options)
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(table, name))
  if (unknown !== undefined) throw new TypeError(`${owner}: unknown option '${unknown}'`)
  return readOptions((name) => `${owner}: option '${name}'`, given, table)
}

/** A check that a condition holds. `mustBe` ends the sentence about a value of which it does not. */
export function valid<Value>(holds: (value: unknown) => boolean, mustBe: string): Check<Value> {
  return (name, value) => {
    if (holds(value)) return value as Value
    throw new TypeError(`${name} must be ${mustBe}`)
  }
}

/** Accepts the integers of a range, bounds included. */
export function integer(least: number, most: number): Check<number> {
  const isWithin = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most
  return valid(isWithin, `an integer from ${least} to ${most}`)
}

/** Accepts a list of these words. */
export function listOf<Word extends string>(words: readonly Word[]): Check<readonly Word[]> {
  const isList = (value: unknown) => Array.isArray(value) && value.every((part) => words.some((word) => word === part))
  return valid(isList, `a list of ${words.map((word) => `'${word}'`).join(', ')}`)
}

/** Accepts what a Node timer can wait for: longer ones would fire at once. */
export const milliseconds: Check<number> = integer(0, 2_147_483_647)

/** Accepts a string with something in it. */
export const text: Check<string> = valid(
  (value) => typeof value === 'string' && value !== '',
  'a string that is not empty',
)

/** Accepts any string. */
export const anyText: Check<string> = valid((value) => typeof value === 'string', 'a string')

/** Accepts header fields that Node would send: a string, a list of them, or undefined for none. */
export const headerFields: Check<unknown> = valid(
  (value) => isObject(value) && Object.entries(value).every(([name, field]) => isHeader(name, field)),
  'an object of valid header names with a string, a list of strings, or undefined',
)

/** Accepts one header value. */
export const headerValue: Check<string> = valid(
  (value) => typeof value === 'string' && isHeader('x', value),
  'a valid header value',
)

function isHeader(name: string, field: unknown): boolean {
  const values = Array.isArray(field) ? field : field === undefined ? [] : [field]
  try {
    validateHeaderName(name)
    for (const value of values) {
      if (typeof value !== 'string') return false
      validateHeaderValue(name, value)
    }
    return true
  } catch {
    return false
  }
}

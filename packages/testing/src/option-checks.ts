import { validateHeaderName, validateHeaderValue } from 'node:http'

/** What an option has to be, and how to say so when it is not. */
export interface Expectation {
  /** Whether a value will do. */
  readonly holds: (value: unknown) => boolean
  /** The end of the sentence "option 'x' must be …". */
  readonly mustBe: string
}

/** Whether a value is an object with members, rather than an array or null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Refuses options that nothing would read, and values that cannot be meant. An option that is
 * `undefined` counts as absent.
 *
 * @throws TypeError naming the first offending option.
 */
export function checkOptions(owner: string, options: unknown, expected: Readonly<Record<string, Expectation>>): void {
  if (!isRecord(options)) throw new TypeError(`${owner}: options must be an object`)
  for (const [name, value] of Object.entries(options)) {
    const expectation = Object.hasOwn(expected, name) ? expected[name] : undefined
    if (expectation === undefined) throw new TypeError(`${owner}: unknown option '${name}'`)
    if (value !== undefined && !expectation.holds(value)) {
      throw new TypeError(`${owner}: option '${name}' must be ${expectation.mustBe}`)
    }
  }
}

/** Accepts one of some strings. */
export function oneOf(values: readonly string[]): Expectation {
  return {
    holds: (value) => typeof value === 'string' && values.includes(value),
    mustBe: `one of ${values.map((value) => `'${value}'`).join(', ')}`,
  }
}

/** Accepts the integers of a range, bounds included. */
export function integer(least: number, most: number): Expectation {
  return {
    holds: (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
    mustBe: `an integer from ${least} to ${most}`,
  }
}

/** Accepts what a Node timer can wait for: longer ones would fire at once. */
export const milliseconds: Expectation = integer(0, 2_147_483_647)

/** Accepts a string with something in it. */
export const text: Expectation = {
  holds: (value) => typeof value === 'string' && value !== '',
  mustBe: 'a string that is not empty',
}

/** Accepts any string. */
export const anyText: Expectation = { holds: (value) => typeof value === 'string', mustBe: 'a string' }

/** Accepts an object with members. */
export const members: Expectation = { holds: isRecord, mustBe: 'an object' }

/** Accepts header fields that Node would send: a string, a list of them, or undefined for none. */
export const headerFields: Expectation = {
  holds: (value) => isRecord(value) && Object.entries(value).every(([name, field]) => isHeader(name, field)),
  mustBe: 'an object of valid header names with a string, a list of strings, or undefined',
}

/** Accepts one header value. */
export const headerValue: Expectation = {
  holds: (value) => typeof value === 'string' && isHeader('x', value),
  mustBe: 'a valid header value',
}

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

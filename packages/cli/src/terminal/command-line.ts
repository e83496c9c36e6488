import { parseArgs } from 'node:util'
import { nearestName } from '@jwks-auth/core/diagnostics'
import { UsageError } from './exit-codes.ts'

/** What a command takes. */
export interface OptionTypes {
  readonly [name: string]: { readonly type: 'string' | 'boolean'; readonly multiple?: boolean; readonly short?: string }
}

/** A command line that was checked. */
export interface Arguments {
  /** True for a flag that was given. */
  flag(name: string): boolean
  /** The value of an option; of several, the last. */
  text(name: string): string | undefined
  /** All values of an option. */
  list(name: string): readonly string[]
  /** A whole number of at least 1. */
  integer(name: string, byDefault: number): number
  /** What is no option. */
  readonly positionals: readonly string[]
}

/**
 * Reads a command line. Arguments that are no options are never repeated in a message: one of them may be a token.
 *
 * @throws UsageError that names an unknown option and the nearest one, or an option without its value
 */
export function readArguments(args: readonly string[], options: OptionTypes): Arguments {
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: { ...options },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const values = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const { name, value } = token
    const known = Object.hasOwn(options, name) ? options[name] : undefined
    if (known === undefined) throw unknownOption(name, Object.keys(options))
    if (known.type === 'boolean' && value !== undefined) throw new UsageError(`--${name} takes no value`)
    if (known.type === 'string' && (value === undefined || value === ''))
      throw new UsageError(`--${name} needs a value`)
    values.set(name, [...(values.get(name) ?? []), value ?? ''])
  }
  for (const [name, given] of values) {
    if (given.length > 1 && options[name]?.multiple !== true) throw new UsageError(`--${name} was given more than once`)
  }
  return {
    flag: (name) => values.has(name),
    text: (name) => values.get(name)?.at(-1),
    list: (name) => values.get(name) ?? [],
    integer(name, byDefault) {
      const text = values.get(name)?.at(-1)
      if (text === undefined) return byDefault
      const number = Number(text)
      if (/^\d{1,9}$/.test(text) && number >= 1) return number
      throw new UsageError(`--${name} must be a whole number of at least 1`)
    },
    positionals,
  }
}

function unknownOption(name: string, known: readonly string[]): UsageError {
  // Only what resembles a name is repeated.
  const shown = /^[\w-]{1,32}$/.test(name) ? `--${name}` : 'that'
  const nearest = nearestName(name, known)
  return new UsageError(`There is no option ${shown}${nearest === undefined ? '' : `; did you mean --${nearest}?`}`)
}

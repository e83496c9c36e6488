/**
 * Checks of options, made once at creation. Each throws a `TypeError` that names the option and says
 * what it takes; `undefined` always means absent.
 */

/** An object whose members are not checked yet. */
export type Unchecked = Readonly<Record<string, unknown>>

/** The value as an object with members to check. */
export function objectOption(name: string, value: unknown): Unchecked {
  if (!isObject(value)) throw new TypeError(`${name} must be an object`)
  return value
}

/** True for an object with members to check; a list is none. */
export function isObject(value: unknown): value is Unchecked {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Refuses unknown members, and suggests the nearest known name: a misspelt option must not be ignored silently. */
export function knownOptions(where: string, options: Unchecked, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (options[name] === undefined || known.includes(name)) continue
    const nearest = nearestName(name, known)
    const hint = nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`
    throw new TypeError(`${where} has no option ${JSON.stringify(name)}${hint}`)
  }
}

/** The known name with the fewest typing errors in it, if these are at most a third of its letters. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined
  let fewest = Number.POSITIVE_INFINITY
  // A name that is much longer than any option resembles none, and comparing it would take long.
  for (const candidate of name.length > 64 ? [] : known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < fewest && distance <= Math.max(1, Math.floor(candidate.length / 3))) {
      nearest = candidate
      fewest = distance
    }
  }
  return nearest
}

/** Insertions, deletions and replacements of one letter that lead from one text to the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let index = 0; index < from.length; index += 1) {
    const next = [index + 1]
    for (let column = 0; column < to.length; column += 1) {
      const replaced = (row[column] ?? 0) + (from[index] === to[column] ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

/** The default for what is absent; `null` is not absent but wrong, and goes to the check. */
export function withDefault(value: unknown, byDefault: unknown): unknown {
  return value === undefined ? byDefault : value
}

/** Inclusive bounds of a number. */
export interface Bounds {
  readonly min: number
  readonly max?: number
}

/** A whole number within bounds. */
export function integerOption(name: string, value: unknown, { min, max = Number.MAX_SAFE_INTEGER }: Bounds): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
    throw new TypeError(`${name} must be a whole number ${range}`)
  }
  return value
}

/** `true` or `false`; nothing that merely counts as either. */
export function booleanOption(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false`)
  return value
}

/** A string that is not empty. */
export function stringOption(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${name} must be a non-empty string`)
  return value
}

/** A list of non-empty strings. */
export function stringListOption(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array of strings`)
  return Object.freeze(value.map((item, index) => stringOption(`${name}[${index}]`, item)))
}

/** One non-empty string or a list of at least one; always handed back as a list. */
export function stringsOption(name: string, value: unknown): readonly string[] {
  if (typeof value === 'string') return Object.freeze([stringOption(name, value)])
  const list = stringListOption(name, value)
  if (list.length === 0) throw new TypeError(`${name} must not be an empty list`)
  return list
}

/** One of a fixed set of words. */
export function choiceOption<const Choice extends string>(
  name: string,
  value: unknown,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((candidate) => candidate === value)
  if (choice === undefined) throw new TypeError(`${name} must be one of ${choices.map((c) => `'${c}'`).join(', ')}`)
  return choice
}

/** Something to call. */
export function functionOption(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
}

const IDENTIFIER = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$/

/** True for what may name a tenant or a provider: at most 64 of `A-Z a-z 0-9 _ . -`, not starting with a dot. */
export function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && IDENTIFIER.test(value)
}

/** A tenant's or a provider's name, as {@link isIdentifier} defines it. */
export function identifierOption(name: string, value: unknown): string {
  if (!isIdentifier(value)) {
    throw new TypeError(`${name} must be 1 to 64 characters of A-Z, a-z, 0-9, "_", "." and "-", not starting with "."`)
  }
  return value
}

/**
 * Options, checked once at creation. The options of an object are one table: a name, a default, bounds and a check each.
 * A check throws a `TypeError` that names the option and says what it takes; `undefined` always means absent.
 */

/** Checks the value of an option, and returns it as it is passed on. */
export type Check<Value> = (name: string, value: unknown) => Value

/** One option. */
export interface Option<Value> {
  /** Checks a value that is given. */
  readonly check: Check<Value>
  /** The value where the option is absent. An option without this member is required: absent, it fails its check. */
  readonly default?: Value
  /** Bounds of a number. */
  readonly bounds?: Bounds
  /** The words of which it is one. */
  readonly choices?: readonly string[]
}

/** The options of an object, by name: all of `Options` and no other. After the checks they are `Checked`. */
export type OptionTable<Options, Checked extends Values<Options> = Values<Options>> = {
  readonly [Name in keyof Options]-?: Option<Checked[Name]>
}

/** A table of any options. */
export type AnyTable = Readonly<Record<string, Option<unknown>>>

type Values<Options> = { readonly [Name in keyof Options]-?: unknown }

/** What the options of a table are after their checks. */
export type CheckedOptions<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer Value> ? Value : never
}

/** Options of which those with a default are present, and only `Absent` may be absent. */
export type Complete<Options, Absent extends keyof Options = never> = {
  readonly [Name in keyof Options]-?: Name extends Absent
    ? Options[Name] | undefined
    : Exclude<Options[Name], undefined>
}

/** An option that may be absent. */
export function optional<Value, Default = undefined>(
  check: Check<Value>,
  byDefault?: Default,
): Option<Value | NoInfer<Default>> {
  return { check, default: byDefault as Default }
}

/** An option that its users check, together with others. */
export const anyValue: Option<unknown> = optional((_, value) => value)

/** A whole number within bounds. */
export function integer<Default extends number | undefined = undefined>(
  bounds: Bounds,
  byDefault?: Default,
): Option<number | NoInfer<Default>> {
  return { ...optional((name, value) => integerOption(name, value, bounds), byDefault), bounds }
}

/** `true` or `false`. */
export function boolean<Default extends boolean | undefined = undefined>(
  byDefault?: Default,
): Option<boolean | NoInfer<Default>> {
  return optional(booleanOption, byDefault)
}

/** One of a fixed set of words. */
export function choice<const Choice extends string, Default extends Choice | undefined = undefined>(
  choices: readonly Choice[],
  byDefault?: Default,
): Option<Choice | NoInfer<Default>> {
  return { ...optional((name, value) => choiceOption(name, value, choices), byDefault), choices }
}

/** Checks that a value is a function. Its arguments and results are not checked. */
export function callback<Callback>(): Check<Callback> {
  return (name, value) => {
    functionOption(name, value)
    return value as Callback
  }
}

/**
 * Checks the options of a table, and fills in the defaults. Members that the table lacks are left out.
 *
 * @param where prefix of the names in messages, such as `"tenants.acme."`, or what makes such a name
 */
export function readOptions<Table extends AnyTable>(
  where: string | ((name: string) => string),
  given: Unchecked,
  table: Table,
): CheckedOptions<Table> {
  const checked = Object.entries(table).map(([name, option]) => {
    const isAbsent = given[name] === undefined && Object.hasOwn(option, 'default')
    if (isAbsent) return [name, option.default]
    return [name, option.check(typeof where === 'string' ? where + name : where(name), given[name])]
  })
  return Object.freeze(Object.fromEntries(checked)) as CheckedOptions<Table>
}

/** Checks an option that is an object with options of its own. */
export function memberOptions<Table extends AnyTable>(
  name: string,
  value: unknown,
  table: Table,
): CheckedOptions<Table> {
  const given = objectOption(name, value)
  knownOptions(name, given, Object.keys(table))
  return readOptions(`${name}.`, given, table)
}

/** Checks the object of options that a function takes. */
export function argumentOptions<Table extends AnyTable>(
  callee: string,
  value: unknown,
  table: Table,
): CheckedOptions<Table> {
  const given = objectOption(`${callee} options`, value)
  knownOptions(callee, given, Object.keys(table))
  return readOptions('', given, table)
}

/** Checks the options of another package's function. */
export function packageOptions<Table extends AnyTable>(value: unknown, table: Table): CheckedOptions<Table> {
  const given = objectOption('options', value)
  knownOptions('options', given, Object.keys(table))
  return readOptions('', given, table)
}

/** Ten years, in milliseconds: a longer duration is a mistake. */
export const TEN_YEARS = 315_360_000_000

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

/** A message about an unknown option names all known ones if they are no more than this. */
const FEW_NAMES = 6

/** Refuses unknown members, and suggests the nearest known name: a misspelt option must not be ignored silently. */
export function knownOptions(where: string, options: Unchecked, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (options[name] === undefined || known.includes(name)) continue
    const nearest = nearestName(name, known)
    const names = known.length <= FEW_NAMES ? `; it takes ${known.join(', ')}` : ''
    const hint = nearest === undefined ? names : `; did you mean ${JSON.stringify(nearest)}?`
    throw new TypeError(`${where} has no option ${JSON.stringify(name)}${hint}`)
  }
}

/**
 * The known name with the fewest typing errors in it, if these are at most a third of its letters, or if one of both names
 * begins with the other.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined
  let fewest = Number.POSITIVE_INFINITY
  const wanted = name.toLowerCase()
  // A name that is much longer than any option resembles none, and comparing it would take long.
  for (const candidate of name.length > 64 ? [] : known) {
    const text = candidate.toLowerCase()
    const distance = editDistance(wanted, text)
    const isNear = distance <= Math.max(1, Math.floor(candidate.length / 3))
    if (distance < fewest && (isNear || isBeginning(wanted, text) || isBeginning(text, wanted))) {
      nearest = candidate
      fewest = distance
    }
  }
  return nearest
}

/** As `issuer` is of `issuerBaseURL`. With fewer letters, too many names would be. */
function isBeginning(part: string, whole: string): boolean {
  return part.length >= 6 && whole.startsWith(part)
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

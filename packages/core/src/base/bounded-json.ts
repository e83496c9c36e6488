/** More values than a key set of a thousand keys has, and few enough to be parsed within some milliseconds. */
export const MAX_JSON_VALUES = 25_000

/** For what a store returns, which was bounded when it was written. Parsed in less than 50 ms, whatever it is. */
export const MAX_STORED_JSON_VALUES = 50_000

/**
 * Parses JSON of at most so many values. `JSON.parse` itself takes up to 300 ms for a megabyte of `{}`.
 *
 * @param maxValues the most members and elements, counted by the characters that come before them: `[`, `{` and `,`
 * @throws RangeError for more values, SyntaxError for what is not JSON
 */
export function parseBoundedJson(text: string, maxValues: number = MAX_JSON_VALUES): unknown {
  if (hasMoreValues(text, maxValues)) throw new RangeError(`more than ${maxValues} values`)
  return JSON.parse(text)
}

/** Counts within strings, too: it may only count too many, and key material contains none of these characters. */
function hasMoreValues(text: string, maxValues: number): boolean {
  // A shorter text cannot have as many.
  if (text.length <= maxValues) return false
  const separators = /[[{,]/g
  for (let count = 0; separators.test(text); count += 1) {
    if (count === maxValues) return true
  }
  return false
}

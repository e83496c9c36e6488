/**
 * The value that a store returned, as plain JSON; `undefined` where there is none, `null` for what is not JSON. A store is
 * other people's code: it may return an object that contains itself, or one whose members throw when they are read.
 */
export function plainJson(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    return JSON.parse(JSON.stringify(value))
  } catch {
    return null
  }
}

/**
 * What a store handed out, as plain JSON; `undefined` where that is nothing, `null` for what is no JSON. A store is
 * other people's code: it may hand out an object that holds itself, or one whose members throw when they are read.
 */
export function plainJson(value: unknown): unknown {
  if (value === undefined) return undefined
  try {
    return JSON.parse(JSON.stringify(value))
  } catch {
    return null
  }
}

/** Ways to set text off. Without colours, each returns the text as it is. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  green(text: string): string
  red(text: string): string
}

/** The style of a terminal (ECMA-48 SGR), or none. */
export function createStyle(hasColours: boolean): Style {
  const sgr =
    (on: number, off: number) =>
    (text: string): string =>
      hasColours ? `\u001b[${on}m${text}\u001b[${off}m` : text
  return { bold: sgr(1, 22), dim: sgr(2, 22), green: sgr(32, 39), red: sgr(31, 39) }
}

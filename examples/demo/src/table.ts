import type { Style } from './style.ts'

/** What came of one check, for one API or for all of them. */
export interface Cell {
  readonly text: string
  readonly isExpected: boolean
}

/** A line of the table, with notes below it. */
export interface Line {
  /** What was done. */
  readonly subject: string
  /** What should come of it. */
  readonly expected: string
  /** What did: one cell for each API, or one that stands for all. */
  readonly cells: readonly Cell[]
  /** The interesting part of the answers. */
  readonly notes: readonly string[]
  /** How many requests the APIs got for it. */
  readonly requests: number
}

const width = 98
const subjectWidth = 49
const expectedWidth = 11
const cellWidth = 12
const noteIndent = '     → '

/** True where everything is as it should be. */
export function isExpected({ cells }: Line): boolean {
  return cells.every((cell) => cell.isExpected)
}

/** What stands above the lines of a section: its title, what it is about, and the columns' names. */
export function renderHeading(
  title: string,
  about: readonly string[],
  columns: readonly string[],
  style: Style,
): string {
  const names = columns.map((name) => name.padEnd(cellWidth)).join('')
  const head = `  ${style.bold(title.padEnd(subjectWidth))}${'should be'.padEnd(expectedWidth)}${names}`.trimEnd()
  return ['', head, ...about.map((text) => `  ${style.dim(text)}`), style.dim(`  ${'─'.repeat(width - 2)}`)].join('\n')
}

/** A line and its notes. What is not as it should be is marked at the beginning, too. */
export function renderLine(line: Line, style: Style): string {
  const mark = isExpected(line) ? '  ' : style.red('✗ ')
  const cells = line.cells.map((cell) => renderCell(cell, style)).join('')
  const first = `${mark}${line.subject.padEnd(subjectWidth)}${line.expected.padEnd(expectedWidth)}${cells}`
  const notes = line.notes.flatMap((note) => wrap(note))
  return [first.trimEnd(), ...notes.map(style.dim)].join('\n')
}

function renderCell({ text, isExpected: good }: Cell, style: Style): string {
  const shown = `${good ? '✓' : '✗'} ${text}`
  return `${good ? style.green(shown) : style.red(shown)}${' '.repeat(Math.max(1, cellWidth - shown.length))}`
}

/** Sets a note in, and breaks it between words. */
function wrap(note: string): string[] {
  const [first = '', ...words] = note.split(' ')
  const lines: string[] = []
  let current = `${noteIndent}${first}`
  for (const word of words) {
    if (current.length + 1 + word.length > width) {
      lines.push(current)
      current = `${' '.repeat(noteIndent.length)}${word}`
    } else current += ` ${word}`
  }
  return [...lines, current]
}

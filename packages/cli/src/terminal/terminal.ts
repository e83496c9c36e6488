import { styleText } from 'node:util'

/** A stream to write to. */
export interface Output {
  /** Writes text. */
  write(text: string): unknown
  /** True where the stream is a terminal. */
  readonly isTTY?: boolean | undefined
}

/** What a command reads from and writes to. */
export interface Terminal {
  /** The token of `explain`. */
  readonly stdin: AsyncIterable<string | Uint8Array> & {
    /** True where the stream is a terminal. */
    readonly isTTY?: boolean | undefined
  }
  /** Results. */
  readonly stdout: Output
  /** Progress and errors. */
  readonly stderr: Output
  /** Environment variables; `NO_COLOR` and `TERM` are read. */
  readonly env: Readonly<Record<string, string | undefined>>
}

type Colour = 'bold' | 'dim' | 'green' | 'red' | 'yellow'

/** Sets text off; without colours, returns it unchanged. */
export type Style = (colour: Colour, text: string) => string

/** Colours for a terminal, and none where `NO_COLOR` (https://no-color.org) has a value. */
export function styleFor({ isTTY }: Output, env: Terminal['env']): Style {
  const hasColours = isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return (colour, text) => (hasColours ? styleText(colour, text, { validateStream: false }) : text)
}

const MAX_SHOWN = 200

/**
 * Text of a provider or a token, safe to print: without control characters, which could command the terminal, and without
 * characters that change the direction of text; at most 200 characters.
 */
export function printable(text: string): string {
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  return shown.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '�')
}

/** Milliseconds as a person reads them. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
  ] as const
  const seconds = milliseconds / 1_000
  for (const [unit, length] of units) {
    if (seconds >= length) return `${Number((seconds / length).toFixed(1))} ${unit}`
  }
  return `${Number(seconds.toFixed(1))} s`
}

/** Reports progress on stderr. */
export interface Progress {
  /** What is being done now. */
  step(text: string): void
  /** Removes the last step from a terminal. */
  end(): void
}

/** On a terminal, one line that is overwritten; elsewhere, one line for each step. */
export function createProgress({ stderr, env }: Terminal): Progress {
  const isOverwritten = stderr.isTTY === true && env['TERM'] !== 'dumb'
  const style = styleFor(stderr, env)
  const clear = '\r\u001b[2K'
  return {
    step(text) {
      stderr.write(isOverwritten ? `${clear}${style('dim', `${text} …`)}` : `${text} …\n`)
    },
    end() {
      if (isOverwritten) stderr.write(clear)
    },
  }
}

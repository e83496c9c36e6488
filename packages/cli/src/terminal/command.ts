import type { Arguments, OptionTypes } from './command-line.ts'
import type { ExitCode } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

/** A command of the program. */
export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What `--help` prints. */
  readonly help: string
  /** The options that it takes, `--help` aside. */
  readonly options: OptionTypes
  /** Runs it; rejects with a UsageError where it cannot. */
  run(args: Arguments, terminal: Terminal): Promise<ExitCode>
}

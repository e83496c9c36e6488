/** The exit codes of every command. */
export const exitCodes: { readonly good: 0; readonly findings: 1; readonly usage: 2 } = {
  /** Nothing is wrong. */
  good: 0,
  /** The command ran, and found something that is wrong. */
  findings: 1,
  /** The command could not run: a wrong option, a file that cannot be read, an API that does not respond. */
  usage: 2,
}

/** The exit code of a command. */
export type ExitCode = 0 | 1 | 2

/** The command cannot run as it was called. Ends it with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

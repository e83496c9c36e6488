export { run } from './run.ts'
export type { ExitCode } from './terminal/exit-codes.ts'
export type { Output, Terminal } from './terminal/terminal.ts'

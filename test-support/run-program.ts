import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** How a program is run. */
export interface ProgramOptions {
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>
  /** Flags of Node. */
  readonly flags?: readonly string[]
  /** How many file descriptors it may have; not on Windows. */
  readonly descriptors?: number
}

/** What a program has done. */
export interface ProgramResult {
  readonly exitCode: unknown
  /** What it wrote to standard error. */
  readonly errors: string
  /** Its last message. */
  readonly sent: unknown
}

/**
 * Runs the text of a module as a process of its own until that ends. The module imports packages as built, as the folder
 * `test` does, and answers by `process.send`.
 */
export async function runProgram(module: string, options: ProgramOptions): Promise<ProgramResult> {
  const { env, flags = [], descriptors } = options
  const node = [process.execPath, ...flags, '--input-type=module', '--eval', module]
  const [command = '', ...args] =
    descriptors === undefined ? node : ['sh', '-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...node]
  const child = spawn(command, args, {
    cwd: fileURLToPath(new URL('../test', import.meta.url)),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let sent: unknown
  child.on('message', (message) => {
    sent = message
  })
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const [exitCode] = (await once(child, 'close')) as unknown[]
  return { exitCode, errors, sent }
}

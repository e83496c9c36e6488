import { run } from '@jwks-auth/cli'

/** What a run of the program left. */
export interface RunResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What the program finds when it starts. */
export interface RunOptions {
  readonly stdin?: string
  readonly isTTY?: boolean
  readonly env?: Readonly<Record<string, string>>
}

/** Runs the program in this process. */
export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { stdin = '', isTTY = false, env = {} } = options
  const written = { stdout: '', stderr: '' }
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY,
    write(text: string) {
      written[name] += text
    },
  })
  const input = Object.assign(
    (async function* () {
      yield Buffer.from(stdin)
    })(),
    { isTTY: false },
  )
  const code = await run(args, { stdin: input, stdout: output('stdout'), stderr: output('stderr'), env })
  return { code, ...written }
}

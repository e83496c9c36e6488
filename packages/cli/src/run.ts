import { readFileSync } from 'node:fs'
import { nearestName } from '@jwks-auth/core/diagnostics'
import { doctor } from './doctor/command.ts'
import { drill } from './drill/command.ts'
import { explain } from './explain/command.ts'
import type { Command } from './terminal/command.ts'
import { readArguments } from './terminal/command-line.ts'
import { type ExitCode, exitCodes, UsageError } from './terminal/exit-codes.ts'
import { styleFor, type Terminal } from './terminal/terminal.ts'

const commands: readonly Command[] = [doctor, explain, drill]

const help = `Usage: jwks-auth <command> [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(9)}${summary}`).join('\n')}

  --help     what a command takes: jwks-auth <command> --help
  --version  the version of this program

Exit codes: 0 nothing is wrong, 1 something is, 2 the command could not run as it was called.
`

/**
 * Runs the program: `jwks-auth doctor`, `explain` or `drill`. Never rejects.
 *
 * @param args the command line, without Node and the script
 * @returns the exit code
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(args, terminal)
  } catch (error) {
    const style = styleFor(terminal.stderr, terminal.env)
    const isUsage = error instanceof UsageError
    const text = error instanceof Error ? error.message : 'The command failed'
    terminal.stderr.write(`${style('red', isUsage ? 'Error:' : 'Unexpected error:')} ${text}\n`)
    return exitCodes.usage
  }
}

async function dispatch([name, ...rest]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { stdout } = terminal
  if (name === undefined) throw new UsageError(`A command is missing.\n\n${help}`)
  if (name === '--help' || name === '-h' || name === 'help') {
    stdout.write(help)
    return exitCodes.good
  }
  if (name === '--version' || name === '-v') {
    stdout.write(`${version()}\n`)
    return exitCodes.good
  }
  const command = commands.find((candidate) => candidate.name === name)
  if (command === undefined) throw unknownCommand(name)
  const args = readArguments(rest, { ...command.options, help: { type: 'boolean', short: 'h' } })
  if (args.flag('help')) {
    stdout.write(command.help)
    return exitCodes.good
  }
  return await command.run(args, terminal)
}

function unknownCommand(name: string): UsageError {
  const names = commands.map((command) => command.name)
  const nearest = nearestName(name, names)
  const hint = nearest === undefined ? `; there are ${names.join(', ')}` : `; did you mean ${nearest}?`
  // It may be a token that was given in the wrong place: only what resembles a name is repeated.
  return new UsageError(`There is no command ${/^[\w-]{1,32}$/.test(name) ? name : 'of that name'}${hint}`)
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : ''
}

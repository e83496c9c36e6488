import type { Command } from '../terminal/command.ts'
import { exitCodes, UsageError } from '../terminal/exit-codes.ts'
import { createProgress, type Style, styleFor } from '../terminal/terminal.ts'
import { readConfiguration } from './configuration.ts'
import { type Explanation, explain as explainToken } from './explain.ts'
import { readToken } from './token-input.ts'

const help = `Usage: jwks-auth explain --config <file> [options] < token.txt

Checks the token on standard input by your configuration, check by check, and says what to do about a
failed one. The token and its signature are never printed; of the claims, only iss, aud and the times are.

  --config <file>  the options of jwksAuth: a JSON file, or an ES module that exports them as its default
                   or as options
  --tenant <name>  the tenant of the request, where the configuration derives it from the request
  --jwks <file>    a key set to use instead of the provider's: nothing is fetched
  --json           print the report as JSON

Exit codes: 0 the token is accepted, 1 it is refused, 2 wrong usage or a wrong configuration.
`

/** `jwks-auth explain`. */
export const explain: Command = {
  name: 'explain',
  summary: 'explains why a token is refused',
  help,
  options: {
    config: { type: 'string' },
    tenant: { type: 'string' },
    jwks: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(args, terminal) {
    if (args.positionals.length > 0) {
      throw new UsageError(
        'Give the token on standard input: arguments are visible to other users, and kept by the shell',
      )
    }
    const file = args.text('config')
    if (file === undefined) throw new UsageError('--config is missing: a file with the options of jwksAuth')
    const configuration = await readConfiguration({ file, tenant: args.text('tenant'), jwksFile: args.text('jwks') })
    const token = await readToken(terminal)
    const progress = createProgress(terminal)
    progress.step('Checking the token')
    const explanation = await explainToken(token, configuration).finally(progress.end)
    const { leftOut } = configuration
    const style = styleFor(terminal.stdout, terminal.env)
    terminal.stdout.write(
      args.flag('json')
        ? `${JSON.stringify({ accepted: explanation.refusedWith === undefined, ...explanation, leftOut }, undefined, 2)}\n`
        : textOf(explanation, leftOut, style),
    )
    return explanation.refusedWith === undefined ? exitCodes.good : exitCodes.findings
  },
}

function textOf({ steps, values, refusedWith, status }: Explanation, leftOut: readonly string[], style: Style): string {
  const lines = [...values.map((value) => `  ${value}`), ...(values.length === 0 ? [] : [''])]
  for (const { name, passed, detail, code, remedy } of steps) {
    lines.push(`${passed ? style('green', 'passed') : style('red', 'failed')}  ${style('bold', name)}: ${detail}`)
    if (passed) continue
    if (code !== undefined) lines.push(`        ${code}`)
    if (remedy !== undefined) lines.push(`        ${remedy}`)
  }
  if (leftOut.length > 0)
    lines.push('', style('dim', `Not used here: ${leftOut.join(', ')}. Revocations in a store are not read.`))
  const verdict =
    refusedWith === undefined
      ? style('green', 'The token is accepted.')
      : style('red', `The token is refused: ${status} ${refusedWith}.`)
  return `${[...lines, '', verdict].join('\n')}\n`
}

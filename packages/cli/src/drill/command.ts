import { isObject, parseUrl, type Unchecked } from '@jwks-auth/core/diagnostics'
import { createTestIssuer, type TestIssuer } from '@jwks-auth/testing'
import type { Command } from '../terminal/command.ts'
import type { Arguments } from '../terminal/command-line.ts'
import { exitCodes, UsageError } from '../terminal/exit-codes.ts'
import { createProgress, type Style, styleFor } from '../terminal/terminal.ts'
import { type PhaseReport, playDrill } from './phases.ts'

const help = `Usage: jwks-auth drill --url <api> --audience <audience> [options]

Plays a key rotation, an outage and a flood of unknown kids against your API, from an issuer on this
machine, and reports what happened: statuses, latencies, requests to the issuer. Takes about half a minute.

Start the API with the issuer http://127.0.0.1:4180 (or that of --port) and requireHttps: false; never
against an API in production: it must trust an issuer that anyone on the machine can start.

  --url <api>              a protected URL of the API, for GET
  --audience <audience>    the aud of the tokens
  --port <port>            the port of the issuer, 4180 by default
  --algorithm RS256|ES256|EdDSA  of the keys, RS256 by default
  --header <name: value>   sent with each request, such as the tenant's; may be repeated
  --claims <json>          more claims for the tokens, such as '{"scope":"orders:read"}'
  --wait <seconds>         how long to wait for the API, 30 by default
  --outage <seconds>       how long the outage lasts, 5 by default
  --flood <count>          tokens of the flood, 200 by default
  --json                   print the report as JSON

Exit codes: 0 every phase passed, 1 one failed, 2 wrong usage, or the API accepts no token of the drill.
`

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const
const SECOND = 1_000

/** `jwks-auth drill`. */
export const drill: Command = {
  name: 'drill',
  summary: 'rehearses a rotation, an outage and a flood against an API',
  help,
  options: {
    url: { type: 'string' },
    audience: { type: 'string' },
    port: { type: 'string' },
    algorithm: { type: 'string' },
    header: { type: 'string', multiple: true },
    claims: { type: 'string' },
    wait: { type: 'string' },
    outage: { type: 'string' },
    flood: { type: 'string' },
    json: { type: 'boolean' },
  },
  async run(args, terminal) {
    if (args.positionals.length > 0) throw new UsageError('drill takes options only: --url <api> --audience <audience>')
    const api = { url: readUrl(args), headers: readHeaders(args.list('header')) }
    const settings = {
      claims: readClaims(args.text('claims')),
      wait: args.integer('wait', 30) * SECOND,
      outage: args.integer('outage', 5) * SECOND,
      flood: args.integer('flood', 200),
    }
    const issuer = await startIssuer(args)
    const progress = createProgress(terminal)
    try {
      const phases = await playDrill({ api, issuer, ...settings, progress }).finally(progress.end)
      const passed = phases.every((phase) => phase.passed)
      const style = styleFor(terminal.stdout, terminal.env)
      terminal.stdout.write(
        args.flag('json')
          ? `${JSON.stringify({ url: api.url, issuer: issuer.issuer, passed, phases }, undefined, 2)}\n`
          : textOf(phases, style),
      )
      return passed ? exitCodes.good : exitCodes.findings
    } finally {
      await issuer.close()
    }
  },
}

function readUrl(args: Arguments): string {
  const url = parseUrl(args.text('url') ?? '')
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url.href
  throw new UsageError('--url must be an absolute URL of the API, such as http://localhost:3000/orders')
}

function readHeaders(list: readonly string[]): Readonly<Record<string, string>> {
  const headers = new Headers()
  for (const text of list) {
    const [, name = '', value = ''] = /^([\w-]+):\s*(.+)$/.exec(text) ?? []
    if (name === '') throw new UsageError("--header must be 'name: value'")
    headers.set(name, value)
  }
  return Object.fromEntries(headers)
}

function readClaims(text: string | undefined): Unchecked {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch {
    // Reported below.
  }
  throw new UsageError(`--claims must be a JSON object, such as '{"scope":"orders:read"}'`)
}

async function startIssuer(args: Arguments): Promise<TestIssuer> {
  const audience = args.text('audience')
  if (audience === undefined) throw new UsageError('--audience is missing: the aud that the API expects')
  const given = args.text('algorithm') ?? 'RS256'
  const algorithm = ALGORITHMS.find((each) => each === given)
  if (algorithm === undefined) throw new UsageError(`--algorithm must be one of ${ALGORITHMS.join(', ')}`)
  const port = args.integer('port', 4180)
  const kid = `drill-${Date.now().toString(36)}`
  try {
    return await createTestIssuer({ algorithm, audience, port, kid })
  } catch {
    throw new UsageError(`The issuer cannot listen on port ${port}: choose another one with --port`)
  }
}

function textOf(phases: readonly PhaseReport[], style: Style): string {
  const lines = phases.flatMap(({ name, passed, summary, statuses, latencyMs, upstreamRequests, problems }) => {
    const counts = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`)
    const latency = latencyMs === undefined ? [] : [`median ${latencyMs.median} ms, longest ${latencyMs.longest} ms`]
    const requests = `requests to the issuer: ${upstreamRequests}`
    return [
      `${passed ? style('green', 'passed') : style('red', 'failed')}  ${style('bold', name)}: ${summary}`,
      `        ${[counts.join(', '), ...latency, requests].join('; ')}`,
      ...problems.map((problem) => `        ${style('yellow', problem)}.`),
    ]
  })
  const failed = phases.filter(({ passed }) => !passed).length
  const end = failed === 0 ? style('green', 'Every phase passed.') : style('red', `Phases that failed: ${failed}.`)
  return `${[...lines, '', end].join('\n')}\n`
}

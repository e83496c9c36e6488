import { readFile } from 'node:fs/promises'
import { isAddressOrBlock, nearestName, splitPem } from '@jwks-auth/core/diagnostics'
import type { Command } from '../terminal/command.ts'
import type { Arguments } from '../terminal/command-line.ts'
import { exitCodes, UsageError } from '../terminal/exit-codes.ts'
import { createProgress, styleFor } from '../terminal/terminal.ts'
import { diagnose, type TargetKind } from './diagnose.ts'
import type { FetchOptions } from './fetch-document.ts'
import { type Finding, type FindingCode, findingCodes } from './findings.ts'
import { jsonReport, textReport } from './report.ts'

const help = `Usage: jwks-auth doctor [options] <issuer | URL of a key set>

Checks a provider as jwksAuth sees it: discovery, TLS, redirects, headers, lifetime, each key, and how a
rotation would be noticed. Sends five or six requests.

  --json                  print the report as JSON
  --as issuer|jwks        what the URL is; by default its path decides (…/jwks, …/keys, …/certs, ….json)
  --ca <file>             certificate authorities (PEM) instead of Node's
  --allow-http            do not report http: URLs
  --network any|public    which addresses are allowed, for every origin; by default any for the origin
                          that is named, and public ones for others
  --allow-address <cidr>  an address or block that is always allowed; may be repeated
  --timeout <ms>          for each document, 3000 by default (the default of attemptTimeout)
  --ignore <code>         a finding to accept; may be repeated

Exit codes: 0 no errors or warnings, 1 at least one, 2 wrong usage.
`

/** `jwks-auth doctor`. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'checks an identity provider',
  help,
  options: {
    json: { type: 'boolean' },
    as: { type: 'string' },
    ca: { type: 'string' },
    'allow-http': { type: 'boolean' },
    network: { type: 'string' },
    'allow-address': { type: 'string', multiple: true },
    timeout: { type: 'string' },
    ignore: { type: 'string', multiple: true },
  },
  async run(args, terminal) {
    const [target, ...others] = args.positionals
    if (target === undefined) throw new UsageError('The issuer or the URL of the key set is missing')
    if (others.length > 0) throw new UsageError('There is more than one target')
    const ignored = new Set(args.list('ignore').map(readCode))
    const options = { ...(await readFetchOptions(args)), as: readKind(args.text('as')) }
    const diagnosis = await diagnose(target, options, createProgress(terminal))
    const isGood = !diagnosis.findings.some((each) => counts(each) && !ignored.has(each.code))
    const style = styleFor(terminal.stdout, terminal.env)
    terminal.stdout.write(
      args.flag('json')
        ? `${JSON.stringify(jsonReport(diagnosis, ignored, isGood), undefined, 2)}\n`
        : textReport(diagnosis, ignored, style),
    )
    return isGood ? exitCodes.good : exitCodes.findings
  },
}

function counts({ severity }: Finding): boolean {
  return severity !== 'note'
}

function readCode(text: string): FindingCode {
  const code = findingCodes.find((known) => known === text)
  if (code !== undefined) return code
  const nearest = nearestName(text, findingCodes)
  throw new UsageError(`--ignore: there is no such finding${nearest === undefined ? '' : `; did you mean ${nearest}?`}`)
}

function readKind(text: string | undefined): TargetKind | undefined {
  if (text === undefined || text === 'issuer' || text === 'jwks') return text
  throw new UsageError('--as must be issuer or jwks')
}

async function readFetchOptions(args: Arguments): Promise<FetchOptions> {
  const network = args.text('network')
  if (network !== undefined && network !== 'any' && network !== 'public') {
    throw new UsageError('--network must be any or public')
  }
  const allowAddresses = args.list('allow-address')
  if (!allowAddresses.every(isAddressOrBlock)) {
    throw new UsageError('--allow-address must be an IP address or a CIDR block')
  }
  return {
    ca: await readAuthorities(args.text('ca')),
    allowHttp: args.flag('allow-http'),
    network,
    allowAddresses,
    timeout: args.integer('timeout', 3_000),
  }
}

async function readAuthorities(file: string | undefined): Promise<readonly string[] | undefined> {
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`--ca: ${file} cannot be read`)
  })
  const certificates = splitPem([text])
  if (certificates === undefined) throw new UsageError(`--ca: ${file} has no certificates in PEM form`)
  return certificates
}

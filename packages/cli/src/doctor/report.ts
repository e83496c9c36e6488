import { providerDefaults } from '@jwks-auth/core/diagnostics'
import { duration, printable, type Style } from '../terminal/terminal.ts'
import type { KeyReport } from './check-keys.ts'
import type { Diagnosis, DocumentReport } from './diagnose.ts'
import type { Finding, FindingCode, Severity } from './findings.ts'

/** Response headers that are reported. */
const REPORTED_HEADERS = [
  'content-type',
  'content-encoding',
  'cache-control',
  'expires',
  'age',
  'date',
  'etag',
  'last-modified',
]

const COLOURS = { error: 'red', warning: 'yellow', note: 'dim' } as const satisfies Record<Severity, string>

/** How a rotation of this provider is noticed, in sentences. */
function rotationOf({ keys, lifetimes }: Diagnosis): readonly string[] {
  const used = keys.filter(({ isUsed }) => isUsed)
  if (lifetimes === undefined || used.length === 0) return []
  const { refreshAfter, freshFor, staleFor } = lifetimes
  const cooldown = duration(providerDefaults.unknownKidCooldown)
  const byKid = used.every(({ kid }) => kid !== undefined)
  return [
    byKid
      ? `A new key is noticed with the first token that names its kid, by one refetch (at most one each ${cooldown}).`
      : `Keys without kid: a new key is noticed when no signature fits, by one refetch (at most one each ${cooldown}).`,
    `While the keys are in use, they are refreshed ${duration(refreshAfter)} after a fetch.`,
    `A withdrawn key is used for at most ${duration(freshFor)} while the provider responds.`,
    `In an outage the cached keys serve for ${duration(staleFor)} after the last fetch.`,
  ]
}

/** The report for a terminal. */
export function textReport(diagnosis: Diagnosis, ignored: ReadonlySet<FindingCode>, style: Style): string {
  const { target, kind, documents, keys } = diagnosis
  const rotation = rotationOf(diagnosis)
  const findings = diagnosis.findings.filter(({ code }) => !ignored.has(code))
  const sections = [
    `${style('bold', printable(target))} (${kind === 'issuer' ? 'issuer' : 'key set'})`,
    ...documents.map((document) => documentText(document, style)),
    ...(keys.length === 0 ? [] : [`${style('bold', 'Keys')}\n${keys.map(keyText).join('\n')}`]),
    ...(rotation.length === 0
      ? []
      : [`${style('bold', 'Rotation')}\n${rotation.map((line) => `  ${line}`).join('\n')}`]),
    ...findings.map((each) => findingText(each, keys, style)),
    summary(findings, style),
  ]
  return `${sections.join('\n\n')}\n`
}

function documentText({ subject, url, outcome }: DocumentReport, style: Style): string {
  const title = style('bold', subject === 'metadata' ? 'Metadata' : 'Key set')
  const lines = [`${title} ${printable(url)}`]
  for (const hop of outcome.hops) lines.push(`  ${hop.status}  ${printable(hop.url)}`)
  if (outcome.kind === 'failure') return [...lines, `  no response (${outcome.step})`].join('\n')
  const { tls, headers, size } = outcome
  lines.push(`  ${duration(outcome.duration)}, ${size} bytes`)
  if (tls !== undefined) lines.push(`  ${tls.protocol}, certificate until ${new Date(tls.validTo).toISOString()}`)
  for (const name of REPORTED_HEADERS) {
    const value = headers[name]
    if (value !== undefined) lines.push(`  ${name}: ${printable(value)}`)
  }
  return lines.join('\n')
}

function keyText({ kid, kty, alg, use, size, thumbprint, isUsed }: KeyReport, index: number): string {
  const parts = [
    kid === undefined ? 'no kid' : `kid ${printable(kid)}`,
    [kty, size].flatMap((part) => (part === undefined ? [] : printable(part))).join(' '),
    `alg ${alg === undefined ? 'not given' : printable(alg)}`,
    `use ${use === undefined ? 'not given' : printable(use)}`,
    ...(thumbprint === undefined ? [] : [`thumbprint ${thumbprint}`]),
    ...(isUsed ? [] : ['not used']),
  ]
  return `  ${index + 1}. ${parts.join(', ')}`
}

function findingText(
  { code, severity, subject, key, message, remedy }: Finding,
  keys: readonly KeyReport[],
  style: Style,
) {
  const kid = key === undefined ? undefined : keys[key]?.kid
  const where = key === undefined ? subject : `key ${key + 1}${kid === undefined ? '' : `, kid ${printable(kid)}`}`
  return `${style(COLOURS[severity], severity)} ${style('bold', code)} (${where})\n  ${printable(message)}.\n  ${remedy}`
}

function summary(findings: readonly Finding[], style: Style): string {
  const count = (severity: Severity): number => findings.filter((each) => each.severity === severity).length
  const [errors, warnings, notes] = [count('error'), count('warning'), count('note')]
  if (errors + warnings === 0) return `${style('green', 'Nothing is wrong.')} Notes: ${notes}.`
  return `Errors: ${errors}, warnings: ${warnings}, notes: ${notes}.`
}

/** The report as a JSON value: see the README for its members. */
export function jsonReport(diagnosis: Diagnosis, ignored: ReadonlySet<FindingCode>, isGood: boolean): object {
  const { target, kind, documents, keys, lifetimes = null } = diagnosis
  return {
    target,
    kind,
    ok: isGood,
    findings: diagnosis.findings.map((each) => ({ ...each, ignored: ignored.has(each.code) })),
    documents: documents.map(({ subject, url, outcome }) => ({
      subject,
      url,
      hops: outcome.hops,
      durationMs: Math.round(outcome.duration),
      ...(outcome.kind === 'failure'
        ? { failedWhile: outcome.step }
        : {
            status: outcome.status,
            bytes: outcome.size,
            tls: outcome.tls && {
              protocol: outcome.tls.protocol,
              validTo: new Date(outcome.tls.validTo).toISOString(),
            },
            headers: Object.fromEntries(
              REPORTED_HEADERS.flatMap((name) => {
                const value = outcome.headers[name]
                return value === undefined ? [] : [[name, value]]
              }),
            ),
          }),
    })),
    keys,
    lifetimesMs: lifetimes,
    rotation: rotationOf(diagnosis),
  }
}

import type { Unchecked } from '@jwks-auth/core/diagnostics'
import { printable } from '../terminal/terminal.ts'

/** Claims whose values are shown: who issued the token, for which API, and when. The others may be personal. */
const SHOWN_CLAIMS = ['iss', 'aud', 'iat', 'nbf', 'exp'] as const
const TIMES: ReadonlySet<string> = new Set(['iat', 'nbf', 'exp'])
const MAX_NAMES = 40

/** The values of a token that may be shown: `alg`, `kid`, `typ`, and the claims above; never its text or signature. */
export function safeValues(header: Unchecked, payload: Unchecked): readonly string[] {
  const fromHeader = (['alg', 'kid', 'typ'] as const).flatMap((name) => shown(name, header[name]))
  const claims = SHOWN_CLAIMS.flatMap((name) => shown(name, payload[name]))
  const others = Object.keys(payload).filter((name) => !(SHOWN_CLAIMS as readonly string[]).includes(name))
  const names = others.slice(0, MAX_NAMES).map((name) => printable(name.slice(0, 60)))
  const more = others.length > MAX_NAMES ? ` and ${others.length - MAX_NAMES} more` : ''
  return [...fromHeader, ...claims, ...(names.length === 0 ? [] : [`other claims: ${names.join(', ')}${more}`])]
}

function shown(name: string, value: unknown): readonly string[] {
  if (value === undefined) return []
  if (TIMES.has(name) && typeof value === 'number') return [`${name}: ${timeText(value)}`]
  return [`${name}: ${valueText(value)}`]
}

/** A value as JSON, safe to print. */
export function valueText(value: unknown): string {
  return printable(JSON.stringify(value) ?? 'undefined')
}

function timeText(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? `${seconds}, which is no time` : date.toISOString()
}

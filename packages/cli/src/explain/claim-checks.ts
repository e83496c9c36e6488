import type { JwksAuthError } from '@jwks-auth/core'
import { checkClaims, checkType, type Unchecked } from '@jwks-auth/core/diagnostics'
import { duration, printable } from '../terminal/terminal.ts'
import { valueText } from './safe-values.ts'

/** The claim rules of a provider, as core checks them. */
export type ClaimRules = Parameters<typeof checkClaims>[1]

/** One check of a token's claims. */
export interface ClaimCheck {
  readonly name: string
  readonly refusal: JwksAuthError | undefined
  /** What was compared. */
  readonly detail: string
}

const HOUR = 3_600

/**
 * The claim checks of core one by one, in its order. Each is core's own `checkClaims`, with the rule in question and the
 * claims that it reads, so that an earlier failure does not hide a later one.
 *
 * @param now milliseconds since the epoch
 */
export function checkEachClaim(
  header: Unchecked,
  claims: Unchecked,
  rules: ClaimRules,
  now: number,
): readonly ClaimCheck[] {
  const none: ClaimRules = {
    ...rules,
    audiences: undefined,
    boundClaims: new Map(),
    clientIds: undefined,
    requiredClaims: [],
    maxTokenAge: undefined,
    cnf: 'ignore',
  }
  const valid = { exp: Math.floor(now / 1000) + HOUR }
  const untimed = without(claims, ['exp', 'nbf', 'iat'])
  const { audiences, boundClaims, clientIds, requiredClaims, cnf, maxTokenAge } = rules
  const check = (name: string, given: Unchecked, rule: Partial<ClaimRules>, detail: string): ClaimCheck => ({
    name,
    refusal: checkClaims({ ...valid, ...given }, { ...none, ...rule }, now),
    detail,
  })
  const typ = header['typ']
  return [
    {
      name: 'type',
      refusal: checkType(typeof typ === 'string' ? typ : undefined, rules),
      detail: typeDetail(typ, rules),
    },
    check(
      'times',
      { exp: undefined, ...pick(claims, ['exp', 'nbf', 'iat']) },
      { maxTokenAge },
      timesDetail(claims, rules, now),
    ),
    check('types of claims', without(untimed, ['aud']), {}, 'sub, jti, client_id and scope'),
    check('audience', pick(claims, ['aud']), { audiences }, audienceDetail(claims['aud'], audiences)),
    check('required claims', present(untimed, claims), { requiredClaims }, requiredDetail(claims, rules)),
    check('bound claims', pick(untimed, [...boundClaims.keys()]), { boundClaims }, boundDetail(claims, rules)),
    check('client', pick(claims, ['client_id', 'azp']), { clientIds }, clientDetail(clientIds)),
    check(
      'confirmation',
      pick(claims, ['cnf']),
      { cnf },
      Object.hasOwn(claims, 'cnf') ? `cnf is present, and cnf: '${cnf}'` : 'no cnf',
    ),
  ]
}

function typeDetail(typ: unknown, { types }: ClaimRules): string {
  return `typ ${valueText(typ)}; allowed: ${types === undefined ? 'JWT, at+jwt or none' : [...types].join(', ')}`
}

function timesDetail({ exp, nbf, iat }: Unchecked, { clockTolerance, maxTokenAge }: ClaimRules, now: number): string {
  const parts = [`clockTolerance ${duration(clockTolerance)}`]
  if (typeof exp === 'number')
    parts.unshift(
      exp * 1000 > now ? `expires in ${duration(exp * 1000 - now)}` : `expired ${duration(now - exp * 1000)} ago`,
    )
  if (typeof nbf === 'number' && nbf * 1000 > now) parts.push(`valid in ${duration(nbf * 1000 - now)}`)
  if (typeof iat === 'number' && iat * 1000 > now) parts.push(`issued ${duration(iat * 1000 - now)} in the future`)
  if (maxTokenAge !== undefined) parts.push(`maxTokenAge ${duration(maxTokenAge)}`)
  return parts.join(', ')
}

function audienceDetail(aud: unknown, audiences: ClaimRules['audiences']): string {
  if (audiences === undefined) return 'any audience is accepted'
  return `aud ${valueText(aud)}; allowed: ${[...audiences].map(valueText).join(', ')}`
}

function requiredDetail(claims: Unchecked, { requiredClaims }: ClaimRules): string {
  const missing = requiredClaims.filter((name) => !Object.hasOwn(claims, name))
  if (requiredClaims.length === 0) return 'none'
  return missing.length === 0 ? requiredClaims.join(', ') : `missing: ${missing.join(', ')}`
}

function boundDetail(claims: Unchecked, { boundClaims }: ClaimRules): string {
  if (boundClaims.size === 0) return 'none'
  return [...boundClaims]
    .map(([name, value]) => {
      if (!Object.hasOwn(claims, name)) return `${name} is absent, expected ${valueText(value)}`
      return claims[name] === value ? name : `${name} has another value than ${valueText(value)}`
    })
    .map(printable)
    .join('; ')
}

function clientDetail(clientIds: ClaimRules['clientIds']): string {
  return clientIds === undefined ? 'any client is accepted' : `allowed: ${[...clientIds].map(valueText).join(', ')}`
}

/** The names of claims, with values that no other check refuses. */
function present(untimed: Unchecked, claims: Unchecked): Unchecked {
  const names = Object.keys(untimed).map((name) => [name, 'present'] as const)
  return {
    ...Object.fromEntries(names),
    ...(Object.hasOwn(claims, 'iat') ? { iat: 0 } : {}),
    ...(Object.hasOwn(claims, 'nbf') ? { nbf: 0 } : {}),
  }
}

function pick(claims: Unchecked, names: readonly string[]): Unchecked {
  return Object.fromEntries(names.filter((name) => Object.hasOwn(claims, name)).map((name) => [name, claims[name]]))
}

function without(claims: Unchecked, names: readonly string[]): Unchecked {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)))
}

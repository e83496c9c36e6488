import {
  choice,
  integer,
  type OptionTable,
  objectOption,
  optional,
  readOptions,
  stringsOption,
  TEN_YEARS,
  type Unchecked,
} from '../base/options.ts'
import { canonicalType } from './parse-token.ts'

/** In an issuer, stands for the `tid` of the token: Entra ID's `common` issues tokens of all its tenants. */
export const TENANT_PLACEHOLDER = '{tenantid}'

const GUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** True for a GUID (RFC 9562 §4), which is what Entra ID's tenant ids are. */
export function isGuid(value: unknown): value is string {
  return typeof value === 'string' && GUID.test(value)
}

/**
 * Checks the option `allowedTenantIds`; returns the ids in lower case.
 *
 * @throws TypeError that names the option
 */
function checkTenantIds(name: string, value: unknown): ReadonlySet<string> {
  const ids = stringsOption(name, value)
  const wrong = ids.findIndex((id) => !isGuid(id))
  if (wrong >= 0) throw new TypeError(`${name}[${wrong}] must be a GUID: the tid of a tenant's tokens`)
  return new Set(ids.map((id) => id.toLowerCase()))
}

/**
 * Checks that `{tenantid}` in an issuer and `allowedTenantIds` come together.
 *
 * @param where prefix of the names in messages
 * @param given the provider's own options
 * @param merged the same, with defaults
 * @returns the options with defaults, without `allowedTenantIds` where a default for many providers has no effect on this one
 * @throws TypeError that names the option
 */
export function checkIssuerTemplate(where: string, given: Unchecked, merged: Unchecked): Unchecked {
  const { issuer, jwks, jwksUri, metadataUri, allowedTenantIds, ...others } = merged
  const issuers: readonly unknown[] = Array.isArray(issuer) ? issuer : [issuer]
  if (!issuers.some((text) => typeof text === 'string' && text.includes(TENANT_PLACEHOLDER))) {
    if (given['allowedTenantIds'] === undefined) return { ...others, issuer, jwks, jwksUri, metadataUri }
    throw new TypeError(`${where}allowedTenantIds has no effect without an issuer that contains ${TENANT_PLACEHOLDER}`)
  }
  if (allowedTenantIds === undefined) {
    throw new TypeError(`${where}allowedTenantIds is required with an issuer that contains ${TENANT_PLACEHOLDER}`)
  }
  if ((jwks ?? jwksUri ?? metadataUri) === undefined) {
    throw new TypeError(`${where}issuer contains ${TENANT_PLACEHOLDER}, so jwksUri or metadataUri is required`)
  }
  return merged
}

/** The issuers of a provider's tokens: each with the placeholder once for each allowed tenant id. */
export function expandIssuers(
  issuers: readonly string[],
  tenantIds: ReadonlySet<string> | undefined,
): readonly string[] {
  if (tenantIds === undefined) return issuers
  return issuers.flatMap((issuer) =>
    issuer.includes(TENANT_PLACEHOLDER)
      ? [...tenantIds].map((id) => issuer.replaceAll(TENANT_PLACEHOLDER, id))
      : [issuer],
  )
}

/** Rules for the claims of a provider's tokens. Beside `tenants`, each is a default for every provider. */
export interface ClaimRuleOptions {
  /**
   * The audiences of which the token's `aud` must name one (RFC 7519 §4.1.3), or `false` to accept any audience
   * explicitly. Required.
   */
  readonly audience?: string | readonly string[] | false | undefined
  /**
   * Claims that must be present with exactly this value, such as `{ org_id: 'org_1' }`: they separate tenants that share
   * an issuer. A number must be a whole one between -(2^53 - 1) and 2^53 - 1: JSON numbers beyond that compare equal to
   * their neighbours.
   */
  readonly boundClaims?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Clients whose tokens are accepted, by `client_id` (RFC 9068 §2.2) or `azp`. Default: any. */
  readonly clientIds?: readonly string[] | undefined
  /**
   * Tenants of Entra ID whose tokens are accepted, by the GUID in `tid`, where `issuer` contains `{tenantid}`: there it stands
   * for one of these ids, and the token's `tid` must be the same one. At least one, and required there.
   */
  readonly allowedTenantIds?: readonly string[] | undefined
  /** Claims that must be present, beside `iss` and `exp`, which are always required. */
  readonly requiredClaims?: readonly string[] | undefined
  /** Milliseconds by which clocks may differ, for `exp`, `nbf` and `iat`. Default 30 000. */
  readonly clockTolerance?: number | undefined
  /** Milliseconds since `iat`, which is then required; a token that is older is refused. Default: no bound. */
  readonly maxTokenAge?: number | undefined
  /**
   * Values of the header's `typ` that are accepted (RFC 8725 §3.11), compared without case and without
   * `application/`. Default: `JWT`, `at+jwt`, or none at all.
   */
  readonly typ?: string | readonly string[] | undefined
  /**
   * `'rfc9068'` accepts access tokens of RFC 9068 only: `typ` is `at+jwt` (§4), and `aud`, `sub`, `client_id`, `iat` and
   * `jti` are required, too (§2.2). Not beside `typ`. Default: no profile.
   */
  readonly profile?: 'rfc9068' | undefined
  /**
   * `'verify'` refuses a token with `cnf` (RFC 7800): it is bound to a key, and no mechanism that checks this is enabled.
   * `'ignore'` accepts it as a plain bearer token. Default `'verify'`.
   */
  readonly cnf?: 'verify' | 'ignore' | undefined
}

/** Claim rules, complete and checked. */
export interface ClaimRules {
  /** Absent where any audience is accepted. */
  readonly audiences: ReadonlySet<string> | undefined
  readonly boundClaims: ReadonlyMap<string, string | number | boolean>
  readonly clientIds: ReadonlySet<string> | undefined
  /** Values of `tid`, in lower case, of which `iss` names one; absent where `tid` does not matter. */
  readonly tenantIds: ReadonlySet<string> | undefined
  readonly requiredClaims: readonly string[]
  readonly clockTolerance: number
  readonly maxTokenAge: number | undefined
  /** Lower case, without `application/`; absent for the default. */
  readonly types: ReadonlySet<string> | undefined
  readonly cnf: 'verify' | 'ignore'
}

/** RFC 9068 §2.2, beside `iss` and `exp`. */
const RFC9068_CLAIMS = ['aud', 'sub', 'client_id', 'iat', 'jti']

const table = {
  audience: { check: checkAudience },
  boundClaims: optional(checkBoundClaims, new Map()),
  clientIds: optional(stringSet),
  allowedTenantIds: optional(checkTenantIds),
  requiredClaims: optional(stringsOption, []),
  clockTolerance: integer({ min: 0, max: TEN_YEARS }, 30_000),
  maxTokenAge: integer({ min: 1, max: TEN_YEARS }),
  typ: optional((name, value) => new Set(stringsOption(name, value).map(canonicalType))),
  profile: choice(['rfc9068']),
  cnf: choice(['verify', 'ignore'], 'verify'),
} satisfies OptionTable<ClaimRuleOptions>

/** The claim rules of a provider. */
export const claimRuleTable: OptionTable<ClaimRuleOptions> = table

/** The names of {@link ClaimRuleOptions}. */
export const claimRuleNames: readonly string[] = Object.keys(table)

/**
 * Checks a provider's claim rules.
 *
 * @param where prefix of the names in messages
 * @throws TypeError that names the option
 */
export function checkClaimRules(where: string, given: Unchecked): ClaimRules {
  const { audience, allowedTenantIds, typ, profile, requiredClaims, ...rules } = readOptions(where, given, table)
  const isRfc9068 = profile !== undefined
  if (isRfc9068 && typ !== undefined) throw new TypeError(`${where}typ cannot be set beside profile, which sets it`)
  return Object.freeze({
    ...rules,
    audiences: audience,
    tenantIds: allowedTenantIds,
    requiredClaims: isRfc9068 ? [...requiredClaims, ...RFC9068_CLAIMS] : requiredClaims,
    types: isRfc9068 ? new Set(['at+jwt']) : typ,
  })
}

function stringSet(name: string, value: unknown): ReadonlySet<string> {
  return new Set(stringsOption(name, value))
}

/** `undefined` for any audience. */
function checkAudience(name: string, value: unknown): ReadonlySet<string> | undefined {
  if (value === false) return undefined
  if (value !== undefined) return stringSet(name, value)
  throw new TypeError(`${name} is required: the API's identifier, a list of them, or false to accept any`)
}

/** Checks claims with the exact values that are wanted. */
export function checkBoundClaims(name: string, value: unknown): ReadonlyMap<string, string | number | boolean> {
  const bound = new Map<string, string | number | boolean>()
  if (value === undefined) return bound
  for (const [claim, wanted] of Object.entries(objectOption(name, value))) {
    if (typeof wanted !== 'string' && typeof wanted !== 'boolean' && !isSafeInteger(wanted)) {
      throw new TypeError(
        `${name}.${claim} must be a string, a boolean or a whole number up to 2^53 - 1 (JSON does not tell larger ones apart)`,
      )
    }
    bound.set(claim, wanted)
  }
  return bound
}

function isSafeInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

/**
 * True where the rules tell two tenants with one issuer apart: another value of a bound claim, or other audiences. This
 * relies on the issuer not to issue tokens with the audiences of two tenants.
 */
export function areDistinguishable(one: ClaimRules, other: ClaimRules): boolean {
  for (const [claim, value] of one.boundClaims) {
    const otherValue = other.boundClaims.get(claim)
    if (otherValue !== undefined && otherValue !== value) return true
  }
  if (one.audiences === undefined || other.audiences === undefined) return false
  return [...one.audiences].every((audience) => other.audiences?.has(audience) === false)
}

import type { Tenant } from '../tenants/tenant-directory.ts'
import type { AuthProvider } from './auth-providers.ts'
import { areDistinguishable, type ClaimRules } from './claim-rules.ts'

/** The cached tenants by the issuers of their providers; many tenants may have one issuer. */
export interface IssuerIndex<Found> {
  add(tenant: Found): void
  remove(tenant: Found): void
  /** The tenants with this issuer whose tokens nothing tells apart from those of a provider with these rules. */
  indistinguishable(issuer: string, rules: ClaimRules): Iterable<Found>
}

/** The providers of one issuer in groups by what tells them apart, and in these by its values. */
type Groups<Found> = Map<string, Map<string, Set<Found>>>

/** What tells a provider apart first: a bound claim, else its audiences, else nothing. */
interface Placement {
  readonly group: string
  readonly values: readonly string[]
}

const AUDIENCE = 'audience'
const NOTHING = 'nothing'
const CLAIM = 'claim '

function placementOf({ boundClaims, audiences }: ClaimRules): Placement {
  const [name] = [...boundClaims.keys()].toSorted()
  if (name !== undefined) return { group: CLAIM + name, values: [JSON.stringify(boundClaims.get(name))] }
  return audiences === undefined ? { group: NOTHING, values: [''] } : { group: AUDIENCE, values: [...audiences] }
}

/** The values that a provider with these rules could have in common with one in the group; `undefined` for any. */
function valuesIn(group: string, { boundClaims, audiences }: ClaimRules): readonly string[] | undefined {
  if (group === AUDIENCE) return audiences === undefined ? undefined : [...audiences]
  const value = group.startsWith(CLAIM) ? boundClaims.get(group.slice(CLAIM.length)) : undefined
  return value === undefined ? undefined : [JSON.stringify(value)]
}

/**
 * Creates an empty index. Comparing each tenant with each other one of its issuer would take 10 ms and more where an issuer
 * has 10 000 tenants; most of them have another value of the same claim, and are not looked at.
 */
export function createIssuerIndex<Found extends Pick<Tenant<AuthProvider>, 'byIssuer'>>(): IssuerIndex<Found> {
  const issuers = new Map<string, Groups<Found>>()

  function* candidates(groups: Groups<Found>, rules: ClaimRules): Generator<Found> {
    for (const [group, byValue] of groups) {
      for (const value of valuesIn(group, rules) ?? byValue.keys()) yield* byValue.get(value) ?? []
    }
  }

  return {
    add(tenant) {
      for (const [issuer, { rules }] of tenant.byIssuer) {
        const { group, values } = placementOf(rules)
        const groups: Groups<Found> = issuers.get(issuer) ?? new Map()
        const byValue = groups.get(group) ?? new Map<string, Set<Found>>()
        issuers.set(issuer, groups)
        groups.set(group, byValue)
        for (const value of values) byValue.set(value, (byValue.get(value) ?? new Set()).add(tenant))
      }
    },
    remove(tenant) {
      for (const [issuer, { rules }] of tenant.byIssuer) {
        const { group, values } = placementOf(rules)
        const groups = issuers.get(issuer)
        const byValue = groups?.get(group)
        for (const value of values) {
          const same = byValue?.get(value)
          same?.delete(tenant)
          if (same?.size === 0) byValue?.delete(value)
        }
        if (byValue?.size === 0) groups?.delete(group)
        if (groups?.size === 0) issuers.delete(issuer)
      }
    },
    *indistinguishable(issuer, rules) {
      for (const tenant of candidates(issuers.get(issuer) ?? new Map(), rules)) {
        const other = tenant.byIssuer.get(issuer)
        if (other !== undefined && !areDistinguishable(other.rules, rules)) yield tenant
      }
    },
  }
}

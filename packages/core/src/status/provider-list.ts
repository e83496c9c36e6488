import type { ProviderStatus } from '../registry/status.ts'

/**
 * How urgent a provider is. As its `health`, except that one without keys is `'unavailable'` only after a failure; before
 * its first use it is `'unused'`.
 */
export type Condition = 'unavailable' | 'failing' | 'unused' | 'stale' | 'fresh'

/** The conditions, most urgent first: the next request of an unused provider waits for its keys. */
export const conditions: readonly Condition[] = Object.freeze(['unavailable', 'failing', 'unused', 'stale', 'fresh'])

/** The values of `health`. */
const healths: readonly ProviderStatus['health'][] = Object.freeze(['unavailable', 'failing', 'stale', 'fresh'])

/** A provider of the list. */
export interface ListedProvider {
  readonly status: ProviderStatus
  readonly condition: Condition
}

/** Which providers a request asks for. */
export interface ProviderQuery {
  readonly condition: Condition | undefined
  readonly health: ProviderStatus['health'] | undefined
  readonly tenant: string | undefined
  /** A part of `tenant/provider`, in any case. */
  readonly search: string | undefined
  readonly offset: number
  readonly limit: number
}

/** A part of the list. */
export interface ProviderPage {
  /** How many providers match. */
  readonly total: number
  readonly providers: readonly ListedProvider[]
}

/** Providers in a part of the list. */
export const DEFAULT_LIMIT = 50
const MAX_LIMIT = 500
const MAX_SEARCH = 200

/** The condition of a provider. */
export function conditionOf({ health, lastError }: ProviderStatus): Condition {
  return health === 'unavailable' && lastError === undefined ? 'unused' : health
}

/** All providers, the most urgent first. Of two that fail, it is the one whose keys are unusable sooner. */
export function byUrgency(statuses: readonly ProviderStatus[]): readonly ListedProvider[] {
  const groups = new Map<Condition, ListedProvider[]>(conditions.map((condition) => [condition, []]))
  for (const status of statuses) {
    const condition = conditionOf(status)
    groups.get(condition)?.push({ status, condition })
  }
  // Only these need an order of their own; the others stay in that of their registration.
  groups.get('failing')?.sort((one, other) => unusableFrom(one) - unusableFrom(other))
  return [...groups.values()].flat()
}

function unusableFrom({ status }: ListedProvider): number {
  return status.staleUntil === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(status.staleUntil)
}

/** How many providers are in each condition. */
export function countConditions(providers: readonly ListedProvider[]): Readonly<Record<Condition, number>> {
  const counts: Record<Condition, number> = { unavailable: 0, failing: 0, unused: 0, stale: 0, fresh: 0 }
  for (const { condition } of providers) counts[condition] += 1
  return counts
}

/** The providers that a query asks for. */
export function selectProviders(providers: readonly ListedProvider[], query: ProviderQuery): ProviderPage {
  const search = query.search?.toLowerCase()
  const matching = providers.filter(
    ({ status, condition }) =>
      (query.condition === undefined || condition === query.condition) &&
      (query.health === undefined || status.health === query.health) &&
      (query.tenant === undefined || status.tenant === query.tenant) &&
      (search === undefined || `${status.tenant}/${status.provider}`.toLowerCase().includes(search)),
  )
  return { total: matching.length, providers: matching.slice(query.offset, query.offset + query.limit) }
}

/** Reads the parameters of a query; an empty one counts as absent. The name of one with a wrong value is the result. */
export function readProviderQuery(parameters: URLSearchParams): ProviderQuery | { readonly wrong: string } {
  const given = (name: string): string | undefined => parameters.get(name) || undefined
  const condition = conditions.find((each) => each === given('condition'))
  const health = healths.find((each) => each === given('health'))
  const search = given('search')
  const offset = wholeNumber(given('offset') ?? '0', 0, Number.MAX_SAFE_INTEGER)
  const limit = wholeNumber(given('limit') ?? String(DEFAULT_LIMIT), 1, MAX_LIMIT)
  if (given('condition') !== condition) return { wrong: 'condition' }
  if (given('health') !== health) return { wrong: 'health' }
  if (search !== undefined && search.length > MAX_SEARCH) return { wrong: 'search' }
  if (offset === undefined) return { wrong: 'offset' }
  if (limit === undefined) return { wrong: 'limit' }
  return { condition, health, tenant: given('tenant'), search, offset, limit }
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : undefined
}

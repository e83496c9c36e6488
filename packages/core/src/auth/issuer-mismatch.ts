import { LRUCache } from 'lru-cache'
import type { EventBus } from '../base/events.ts'
import type { IssuerMismatchEvent, RegistryEvents } from '../jwks-cache/cache-events.ts'
import type { AuthProvider } from './auth-providers.ts'

/** Reports that are remembered, so that each is made once; of more, the least recent one may be made again. */
const MAX_REPORTS = 1_000

/** Reports issuers of refused tokens that are almost those of a provider. */
export interface IssuerMismatchReports {
  /**
   * Emits an event, once for each issuer and provider, if the issuer differs only by a slash at the end or by case.
   *
   * @param byIssuer the issuers that could have been meant
   * @param providerOf the provider of one of these
   */
  report<Found>(
    issuer: string,
    byIssuer: ReadonlyMap<string, Found>,
    providerOf: (found: Found, issuer: string) => AuthProvider | undefined,
  ): void
}

/** Creates reports that are made as events. */
export function createIssuerMismatchReports(events: EventBus<RegistryEvents>): IssuerMismatchReports {
  const made = new LRUCache<string, true>({ max: MAX_REPORTS })
  const indexes = new WeakMap<ReadonlyMap<string, unknown>, ReadonlyMap<string, string>>()

  /** The configured issuer by what is left of it without slash and case. Made once: a flood of refusals must be cheap. */
  function indexOf(byIssuer: ReadonlyMap<string, unknown>): ReadonlyMap<string, string> {
    const index = indexes.get(byIssuer) ?? new Map([...byIssuer.keys()].map((issuer) => [folded(issuer), issuer]))
    indexes.set(byIssuer, index)
    return index
  }

  return {
    report(issuer, byIssuer, providerOf) {
      const configured = indexOf(byIssuer).get(folded(issuer))
      if (configured === undefined || configured === issuer) return
      const found = byIssuer.get(configured)
      const key = found === undefined ? undefined : providerOf(found, configured)?.registered.key
      if (key === undefined) return
      const name = JSON.stringify([key.tenant, key.provider, configured])
      if (made.get(name) === true) return
      made.set(name, true)
      events.emit('issuer-mismatch', { ...key, issuer: configured, difference: differenceOf(issuer, configured) })
    },
  }
}

function differenceOf(issuer: string, configured: string): IssuerMismatchEvent['difference'] {
  const isCase = withoutSlash(issuer) !== withoutSlash(configured)
  if (issuer.endsWith('/') === configured.endsWith('/')) return 'case'
  return isCase ? 'trailing-slash-and-case' : 'trailing-slash'
}

function folded(issuer: string): string {
  return withoutSlash(issuer).toLowerCase()
}

function withoutSlash(issuer: string): string {
  return issuer.endsWith('/') ? issuer.slice(0, -1) : issuer
}

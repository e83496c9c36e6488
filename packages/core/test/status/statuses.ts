import type { ProviderStatus } from '../../src/index.ts'
import { byUrgency, countConditions, type Verdict, verdictOf } from '../../src/status/verdict.ts'

export const now: number = Date.UTC(2026, 4, 12, 3, 0)
const MINUTE = 60_000

/** A time that many minutes from now. */
export function minutes(count: number): string {
  return new Date(now + count * MINUTE).toISOString()
}

/** The status of a provider with fresh keys, unless `change` says otherwise. */
export function statusOf(name: string, change: Partial<ProviderStatus> = {}): ProviderStatus {
  const [tenant = '', provider = ''] = name.split('/')
  return {
    tenant,
    provider,
    state: 'ready',
    health: 'fresh',
    lastRefresh: minutes(-5),
    nextRefresh: minutes(4),
    expiresAt: minutes(5),
    staleUntil: minutes(65),
    errorCount: 0,
    lastError: undefined,
    hitRate: 0.5,
    staleServeRatio: 0,
    kids: ['key-1'],
    source: 'upstream',
    store: 'none',
    failingStoreSides: [],
    metrics: { requests: 2, hits: 1, misses: 1, stale: 0, refreshes: 1, refreshErrors: 0 },
    ...change,
  }
}

type Code = NonNullable<ProviderStatus['lastError']>['code']

/** A provider whose refresh failed, and whose cached keys serve. */
export function failing(name: string, code: Code, change: Partial<ProviderStatus> = {}): ProviderStatus {
  return statusOf(name, { health: 'failing', errorCount: 1, lastError: { code, message: 'It failed' }, ...change })
}

/** A provider that failed, without usable keys. */
export function down(name: string, code: Code): ProviderStatus {
  return failing(name, code, { health: 'unavailable', state: 'empty', kids: [] })
}

/** A provider without keys that was not used. */
export function unused(name: string): ProviderStatus {
  return statusOf(name, { health: 'unavailable', state: 'empty', kids: [] })
}

/** The answer for these providers and these refused requests, by code. */
export function verdictFor(
  statuses: readonly ProviderStatus[],
  refused: Readonly<Record<string, number>> = {},
  failingStoreSides: readonly string[] = [],
): Verdict {
  const providers = byUrgency(statuses)
  const refusals = Object.entries(refused)
    .map(([code, count]) => ({ code, status: 401, count, last: now }))
    .toSorted((one, other) => other.count - one.count)
  return verdictOf({
    now,
    providers,
    counts: countConditions(providers),
    failingStoreSides,
    refusals,
    window: 15 * MINUTE,
  })
}

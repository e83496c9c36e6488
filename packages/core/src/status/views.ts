import type { ProviderStatus } from '../registry/status.ts'
import { type KeyChange, MAX_KID, REFUSAL_WINDOW, type StatusHistory } from './history.ts'
import type { RefusalCount } from './plain-words.ts'
import {
  type Condition,
  countConditions,
  type ListedProvider,
  type ProviderPage,
  type ProviderQuery,
} from './provider-list.ts'
import { type Verdict, verdictOf } from './verdict.ts'

/** Everything about the registry as a whole. */
export interface Overview {
  /** Epoch milliseconds. */
  readonly now: number
  readonly verdict: Verdict
  readonly counts: Readonly<Record<Condition, number>>
  readonly total: number
  readonly store: ProviderStatus['store']
  readonly failingStoreSides: ProviderStatus['failingStoreSides']
  readonly refusals: readonly RefusalCount[]
}

/** Keys of a provider in a list. */
const MAX_LISTED_KIDS = 20

/** The overview of all providers. */
export function overviewOf(providers: readonly ListedProvider[], history: StatusHistory, now: number): Overview {
  const counts = countConditions(providers)
  const refusals = history.refusals()
  // The store is the registry's, so every provider says the same.
  const { store = 'none', failingStoreSides = [] } = providers[0]?.status ?? {}
  const verdict = verdictOf({ now, providers, counts, failingStoreSides, refusals, window: REFUSAL_WINDOW })
  return { now, verdict, counts, total: providers.length, store, failingStoreSides, refusals }
}

/** `GET /` as JSON; the schema `Overview` of jwks-auth.openapi.yaml. */
export function overviewJson({ now, verdict, counts, total, store, failingStoreSides, refusals }: Overview): object {
  return { time: isoTime(now), verdict, total, counts, store, failingStoreSides, refusals: refusalsJson(refusals) }
}

/** `GET /providers`; the schema `ProviderList`. */
export function listJson({ total, providers }: ProviderPage, { offset, limit }: ProviderQuery, now: number): object {
  return { time: isoTime(now), total, offset, limit, providers: providers.map(listedJson) }
}

/** `GET /providers/{tenant}/{provider}`; the schema `ProviderDetail`. */
export function detailJson({ status, condition }: ListedProvider, history: StatusHistory, now: number): object {
  return {
    time: isoTime(now),
    ...status,
    condition,
    keyCount: status.kids.length,
    historySince: isoTime(history.since),
    keyChanges: history.keyChanges(status).map(changeJson),
    refusals: refusalsJson(history.refusals(status)),
  }
}

/** A provider may publish many keys with long names: a list of providers has the first ones, cut. */
function listedJson({ status, condition }: ListedProvider): object {
  const kids = status.kids.slice(0, MAX_LISTED_KIDS).map((kid) => kid.slice(0, MAX_KID))
  return { ...status, condition, kids, keyCount: status.kids.length }
}

function changeJson({ time, change, kid }: KeyChange): object {
  return { time: isoTime(time), change, kid }
}

function refusalsJson(refusals: readonly RefusalCount[]): object {
  const total = refusals.reduce((sum, { count }) => sum + count, 0)
  return {
    window: REFUSAL_WINDOW,
    total,
    codes: refusals.map(({ last, ...rest }) => ({ ...rest, last: isoTime(last) })),
  }
}

function isoTime(time: number): string {
  return new Date(time).toISOString()
}

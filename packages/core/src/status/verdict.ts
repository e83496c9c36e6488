import type { ProviderStatus } from '../registry/registry.ts'
import { durationText, type PlainWords, type RefusalCount, refusalWords, upstreamWords } from './plain-words.ts'

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

/** How bad it is: `'critical'` where requests are refused that should not be, `'warning'` where they may be soon. */
export type Level = 'ok' | 'info' | 'warning' | 'critical'

/** Who has to act. `'none'`: there is nothing to do. */
export type Cause = 'none' | 'us' | 'provider' | 'token'

/** One of the three answers to "is it us, the provider or the token?". */
export interface Finding {
  readonly level: Level
  /** A few words. */
  readonly text: string
}

/** The answer to "is it us, the provider or the token?". */
export interface Verdict {
  readonly cause: Cause
  readonly level: Level
  /** The answer in one or two sentences. */
  readonly summary: string
  /** What to do; empty where there is nothing to do. */
  readonly advice: string
  /** The three parts of the question, one by one. */
  readonly findings: Readonly<Record<'us' | 'provider' | 'token', Finding>>
}

/** What the answer depends on. */
export interface VerdictInput {
  /** Epoch milliseconds. */
  readonly now: number
  /** All providers, the most urgent first. */
  readonly providers: readonly ListedProvider[]
  readonly counts: Readonly<Record<Condition, number>>
  readonly failingStoreSides: readonly string[]
  /** Refused requests of the window, the most frequent code first. */
  readonly refusals: readonly RefusalCount[]
  /** The length of that window, in milliseconds. */
  readonly window: number
}

interface Candidate extends Finding {
  readonly cause: Cause
  readonly summary: string
  readonly advice: string
}

const severity: Readonly<Record<Level, number>> = { ok: 0, info: 1, warning: 2, critical: 3 }

/** Answers "is it us, the provider or the token?". */
export function verdictOf(input: VerdictInput): Verdict {
  const candidates = [
    guardMisused(input),
    providersInTrouble(input),
    storeFailing(input),
    keysWereUnavailable(input),
    tokensRefused(input),
    nothingWrong(input),
  ].filter((candidate) => candidate !== undefined)
  // The first of the worst ones: `sort` is stable.
  const [worst = nothingWrong(input)] = candidates.toSorted((one, other) => severity[other.level] - severity[one.level])
  const { cause, level, summary, advice } = worst
  const findingOf = (wanted: Cause, otherwise: Finding): Finding => {
    const found = candidates.find((candidate) => candidate.cause === wanted)
    return found === undefined ? otherwise : { level: found.level, text: found.text }
  }
  return {
    cause,
    level,
    summary,
    advice,
    findings: {
      us: findingOf('us', ourFinding(input)),
      provider: findingOf('provider', { level: 'ok', text: `No: ${servingText(input)}` }),
      token: findingOf('token', { level: 'ok', text: `No: none was refused in ${durationText(input.window)}.` }),
    },
  }
}

/** Providers whose last request failed: theirs, or ours where all of them fail or our configuration is the cause. */
function providersInTrouble({ providers, counts, now }: VerdictInput): Candidate | undefined {
  const troubled = providers.filter(({ status }) => status.lastError !== undefined)
  const [first] = troubled
  if (first === undefined) return undefined
  const used = providers.length - counts.unused
  const isDown = counts.unavailable > 0
  const level = isDown ? 'critical' : 'warning'
  const consequence = isDown ? downText(counts.unavailable, troubled.length) : bridgedText(first.status, now)
  const unreachable = troubled.filter(({ status }) => isUnreachable(status))
  if (troubled.length === used && unreachable.length === used && used > 1) {
    return {
      cause: 'us',
      level,
      text: `Probably: none of ${used} providers can be reached.`,
      summary: `It is probably us: none of the ${used} providers in use can be reached from here. ${consequence}`,
      advice: 'Check the network, DNS and proxy of this machine.',
    }
  }
  const words = wordsOf(first.status)
  const cause = words.fault === 'us' ? 'us' : 'provider'
  const others = troubled.length - 1
  const subject = `${nameOf(first.status)} ${words.words}`
  const also =
    others === 0 ? '' : `, and ${others === 1 ? 'one more provider fails' : `${others} more providers fail`}, too`
  return {
    cause,
    level,
    text: `Yes: ${troubled.length} of ${countText(used)} ${troubled.length === 1 ? 'fails' : 'fail'}.`,
    summary: `${OPENINGS[words.fault]}: ${subject}${also}. ${consequence}`,
    advice: words.advice,
  }
}

/** Where nothing of ours fails: what is between us and a provider may still do. */
function ourFinding({ providers }: VerdictInput): Finding {
  const isEither = providers.some(({ status }) => status.lastError !== undefined && wordsOf(status).fault === 'either')
  if (isEither) return { level: 'info', text: 'Perhaps: the network may be the cause.' }
  return { level: 'ok', text: 'No: nothing of ours fails.' }
}

const OPENINGS: Readonly<Record<PlainWords['fault'], string>> = {
  us: 'It is us',
  provider: 'It is the provider',
  either: 'It is the provider, or the way to it',
  token: 'It is the token',
}

function downText(unavailable: number, troubled: number): string {
  if (unavailable < troubled) return `For ${unavailable} of them no usable keys are left: requests get 503.`
  return unavailable === 1
    ? 'No usable keys are left: its requests get 503.'
    : 'No usable keys are left: their requests get 503.'
}

function bridgedText({ staleUntil }: ProviderStatus, now: number): string {
  if (staleUntil === undefined) return 'No request is affected yet: cached keys serve.'
  return `No request is affected yet: cached keys serve for another ${durationText(Date.parse(staleUntil) - now)}.`
}

function storeFailing({ failingStoreSides }: VerdictInput): Candidate | undefined {
  if (failingStoreSides.length === 0) return undefined
  const sides = failingStoreSides.join(' and ')
  return {
    cause: 'us',
    level: 'warning',
    text: `Yes: the store fails (${sides}).`,
    summary: `It is us: our store fails (${sides}). Requests are not affected, but a restarted process may find no keys.`,
    advice: 'Do not restart now. Check the directory or the Redis server behind the store.',
  }
}

function guardMisused({ refusals, window }: VerdictInput): Candidate | undefined {
  const found = refusals.find(({ code }) => code === 'ERR_AUTHENTICATOR_NOT_RUN')
  if (found === undefined) return undefined
  const { words, advice } = refusalWords(found.code)
  return {
    cause: 'us',
    level: 'critical',
    text: `Yes: ${countOf(found.count)} failed because ${words}.`,
    summary: `It is us: ${countOf(found.count)} failed in the last ${durationText(window)} because ${words}.`,
    advice,
  }
}

/** Requests that got 503, although every provider serves now. */
function keysWereUnavailable({ refusals, window, counts }: VerdictInput): Candidate | undefined {
  const found = refusals.find(({ code }) => code === 'ERR_KEYS_UNAVAILABLE')
  if (found === undefined || counts.unavailable > 0) return undefined
  const text = `${countOf(found.count)} got 503 in the last ${durationText(window)} because ${refusalWords(found.code).words}`
  return {
    cause: 'provider',
    level: 'info',
    text: `It was: ${text}.`,
    summary: `It was the provider, and it has recovered: ${text}.`,
    advice: '',
  }
}

function tokensRefused({ refusals, window }: VerdictInput): Candidate | undefined {
  const ofTokens = refusals.filter(({ code }) => refusalWords(code).fault === 'token')
  const [most] = ofTokens
  if (most === undefined) return undefined
  const sum = ofTokens.reduce((total, { count }) => total + count, 0)
  const { words, advice } = refusalWords(most.code)
  const share = sum === most.count ? 'because' : `${most.count * 2 > sum ? 'most' : 'many'} because`
  const text = `${countOf(sum)} ${sum === 1 ? 'was' : 'were'} refused in the last ${durationText(window)}, ${share} ${words}`
  return {
    cause: 'token',
    level: 'info',
    text: `Perhaps: ${text}.`,
    summary: `It is the tokens, if anything: we and the providers are fine. ${text}.`,
    advice,
  }
}

function nothingWrong(input: VerdictInput): Candidate {
  const { providers, counts, window } = input
  const start = { cause: 'none', level: 'ok', text: '', advice: '' } as const
  if (providers.length === 0) return { ...start, summary: 'No provider is registered yet.' }
  if (counts.unused === providers.length) {
    return {
      ...start,
      summary: 'Nothing is wrong. No provider has been used yet: the first request of each fetches its keys.',
    }
  }
  return {
    ...start,
    summary: `Nothing is wrong: ${servingText(input)} No request was refused in the last ${durationText(window)}.`,
  }
}

function servingText({ providers, counts }: VerdictInput): string {
  const used = providers.length - counts.unused
  if (used === 0) return 'none is in use.'
  return used === 1 ? 'the provider in use serves.' : `all ${used} providers in use serve.`
}

function isUnreachable({ lastError }: ProviderStatus): boolean {
  return lastError?.code === 'ERR_UPSTREAM_UNREACHABLE' || lastError?.code === 'ERR_UPSTREAM_TIMED_OUT'
}

function wordsOf({ lastError }: ProviderStatus): PlainWords {
  return upstreamWords(lastError?.code ?? '')
}

function nameOf({ tenant, provider }: ProviderStatus): string {
  return `${tenant}/${provider}`
}

function countOf(requests: number): string {
  return requests === 1 ? '1 request' : `${requests} requests`
}

function countText(providers: number): string {
  return providers === 1 ? '1 provider in use' : `${providers} providers in use`
}

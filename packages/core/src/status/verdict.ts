import type { ProviderStatus } from '../registry/status.ts'
import { durationText } from './durations.ts'
import { type PlainWords, type RefusalCount, refusalWords, upstreamWords } from './plain-words.ts'
import type { Condition, ListedProvider } from './provider-list.ts'

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

import { createHash } from 'node:crypto'
import type { ProviderStatus } from '../registry/registry.ts'
import { type Html, html, pageScript, pageStyle, trusted } from './page-assets.ts'
import { distanceText, durationText, type RefusalCount, refusalWords } from './plain-words.ts'
import { conditionNames, icon, providerCard, tabIcon, timeElement } from './provider-card.ts'
import { type KeyChange, MAX_KID, REFUSAL_WINDOW, type StatusHistory } from './timeline.ts'
import {
  type Condition,
  conditions,
  countConditions,
  DEFAULT_LIMIT,
  type ListedProvider,
  type ProviderPage,
  type ProviderQuery,
  type Verdict,
  verdictOf,
} from './verdict.ts'

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

/** What the page shows. */
export interface PageContent {
  readonly overview: Overview
  readonly page: ProviderPage
  readonly query: ProviderQuery
  readonly history: StatusHistory
  /** The path of the mount, relative to the page, with a slash at its end. */
  readonly base: string
}

/** Up to this many providers in trouble are shown with their details. */
const MAX_OPEN = 2
const MAX_SHOWN_REFUSALS = 8

/**
 * The policy of the page (Content Security Policy Level 3). Style and script are named by their hashes; nothing else may
 * be loaded but the icon, and requests go only to where the page is from.
 */
export const pagePolicy: string = [
  "default-src 'none'",
  `style-src '${hashOf(pageStyle)}'`,
  `script-src '${hashOf(pageScript)}'`,
  "connect-src 'self'",
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

/** The page: one document, complete without its script. */
export function renderPage(content: PageContent): string {
  const { overview, page, query } = content
  const { verdict, now } = overview
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${titleOf(overview)}</title>
<link rel="icon" id="icon" href="${tabIcon(verdict.level)}">
<style>${trusted(pageStyle)}</style>
</head>
<body>
<a class="skip" href="#providers">Skip to the providers</a>
<svg class="hidden" width="0" height="0" aria-hidden="true" focusable="false"><defs><pattern id="stripes" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="3" height="7" fill="#000" opacity=".22"/></pattern></defs></svg>
<header class="top wrap">
<p class="brand">jwks-auth <span>keys of identity providers</span></p>
<p id="updated" data-live>State of ${timeElement(now, now)} UTC</p>
<p id="live"><noscript>Reload the page for a newer state</noscript></p>
<button type="button" id="pause" hidden>Pause</button>
</header>
<main class="wrap">
${answerSection(verdict)}
<p id="result" class="hidden" role="status"></p>
${refusalSection(overview)}
<section class="section" aria-labelledby="providers">
<h2 id="providers" tabindex="-1">Providers</h2>
<div class="tools">
${chips(overview, query)}
<form class="search" role="search" method="get"><label class="hidden" for="search">Search by tenant or provider</label><input id="search" name="search" type="search" maxlength="200" placeholder="Tenant or provider" value="${query.search}">${query.condition !== undefined && html`<input type="hidden" name="condition" value="${query.condition}">`}<button>Search</button></form>
</div>
${providerList(content)}
${pageLinks(page, query)}
</section>
</main>
<footer class="foot wrap">All times are UTC. On each line, fresh and stale have parts of fixed length: ${legend}. Counters are those of this process.</footer>
<script>${trusted(pageScript)}</script>
</body>
</html>
`.markup
}

const legend = html`green is fresh, striped is expired but usable while refreshes fail, empty is unusable`

function titleOf({ verdict, counts }: Overview): string {
  const troubled = counts.unavailable + counts.failing
  const prefix = troubled > 0 ? `(${troubled}) ` : ''
  return `${prefix}${titles[verdict.level]} · jwks-auth`
}

const titles: Readonly<Record<Verdict['level'], string>> = {
  ok: 'All well',
  info: 'Tokens refused',
  warning: 'Needs attention',
  critical: 'Requests fail',
}

function answerSection({ level, summary, advice, findings }: Verdict): Html {
  const names = { us: 'Is it us?', provider: 'Is it the provider?', token: 'Is it the token?' } as const
  const parts = ['us', 'provider', 'token'] as const
  return html`<div id="tone" class="answer ${level}">
<div id="answer" class="say" role="status" data-live>${icon(level)}<h1>${summary}</h1>${advice !== '' && html`<p class="advice">${advice}</p>`}</div>
<dl class="findings" id="findings" data-live>${parts.map((part) => {
    const { level: partLevel, text } = findings[part]
    return html`<div><dt>${names[part]}</dt><dd class="${partLevel}">${icon(partLevel)}<span>${text}</span></dd></div>`
  })}</dl>
</div>`
}

function refusalSection({ refusals, now }: Overview): Html {
  const shown = refusals.slice(0, MAX_SHOWN_REFUSALS)
  if (shown.length === 0) return html`<div id="refused" data-live></div>`
  return html`<section class="section" id="refused" aria-labelledby="refused-title" data-live>
<h2 id="refused-title">Refused requests <small>in the last ${durationText(REFUSAL_WINDOW)}, by code</small></h2>
<ul class="refusals">${shown.map((refusal) => refusalRow(refusal, now))}</ul>
</section>`
}

function refusalRow({ code, status, count, last }: RefusalCount, now: number): Html {
  const { words } = refusalWords(code)
  return html`<li><span class="count">${count}</span><span>because ${words} <code>${status} ${code}</code></span><span class="when">last ${distanceText(last, now)}</span></li>`
}

function chips({ counts, total }: Overview, query: ProviderQuery): Html {
  const chip = (condition: Condition | undefined, name: string, count: number): Html => {
    const isCurrent = query.condition === condition
    return html`<a id="chip/${condition ?? 'all'}" class="${condition ?? 'all'}" href="${linkTo(query, { condition, offset: 0 })}"${isCurrent && html` aria-current="true"`}>${condition !== undefined && icon(condition)}${name} <b>${count}</b></a>`
  }
  return html`<nav class="chips" id="chips" aria-label="Providers by condition" data-live>${chip(undefined, 'All', total)}${conditions.map(
    (condition) => counts[condition] > 0 && chip(condition, conditionNames[condition], counts[condition]),
  )}</nav>`
}

function providerList({ overview, page, history, base }: PageContent): Html {
  if (page.providers.length === 0) {
    const text = overview.total === 0 ? 'No provider is registered.' : 'No provider matches.'
    return html`<p class="empty" id="list" data-live>${text}</p>`
  }
  const troubled = overview.counts.unavailable + overview.counts.failing
  return html`<ol class="providers" id="list" data-live>${page.providers.map((provider) => {
    const isOpen = troubled <= MAX_OPEN && provider.status.lastError !== undefined
    return providerCard(provider, { now: overview.now, history, base, isOpen })
  })}</ol>`
}

function pageLinks({ total, providers }: ProviderPage, query: ProviderQuery): Html {
  const { offset, limit } = query
  const last = offset + providers.length
  return html`<nav class="pages" id="pages" aria-label="Pages" data-live>${total > 0 && html`<span>${providers.length === 0 ? 0 : offset + 1} to ${last} of ${total}</span>`}${offset > 0 && html`<a id="previous" rel="prev" href="${linkTo(query, { offset: Math.max(0, offset - limit) })}">Previous</a>`}${last < total && html`<a id="next" rel="next" href="${linkTo(query, { offset: last })}">Next</a>`}</nav>`
}

/** A link to the page with other parameters; those with their defaults are left out. */
function linkTo(query: ProviderQuery, change: Partial<ProviderQuery>): string {
  const { condition, health, tenant, search, offset, limit } = { ...query, ...change }
  const parameters = Object.entries({
    condition,
    health,
    tenant,
    search,
    offset: offset || undefined,
    limit: limit === DEFAULT_LIMIT ? undefined : limit,
  })
  const given = new URLSearchParams()
  for (const [name, value] of parameters) if (value !== undefined) given.set(name, String(value))
  return `?${given.toString()}`
}

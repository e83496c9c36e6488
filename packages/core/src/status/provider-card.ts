import type { ProviderStatus } from '../registry/registry.ts'
import { type Html, html } from './page-assets.ts'
import { clockText, distanceText, durationText, type RefusalCount, refusalWords, upstreamWords } from './plain-words.ts'
import { type KeyChange, type Moment, momentIcon, type StatusHistory, timelineOf, timelineSvg } from './timeline.ts'
import type { Condition, Level, ListedProvider } from './verdict.ts'

/** Each state has a shape of its own, on a grid of 16. */
const shapes = {
  tick: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm-1.2 11.6L3.3 8.1l1.3-1.3 2.2 2.2 4.6-4.6 1.3 1.3Z"/>`,
  half: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm0 14V2a6 6 0 0 1 0 12Z"/>`,
  triangle: html`<path d="M8 .8 16 15H0ZM7.1 6v4.5h1.8V6Zm0 5.8v1.8h1.8v-1.8Z"/>`,
  cross: html`<path d="M4.7 0h6.6L16 4.7v6.6L11.3 16H4.7L0 11.3V4.7Zm.1 3.5L3.5 4.8 6.7 8l-3.2 3.2 1.3 1.3L8 9.3l3.2 3.2 1.3-1.3L9.3 8l3.2-3.2-1.3-1.3L8 6.7Z"/>`,
  ring: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0Zm0 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Z"/>`,
  letter: html`<path d="M8 0a8 8 0 1 0 0 16A8 8 0 0 0 8 0ZM7 3.4h2v2H7ZM7 7h2v5.6H7Z"/>`,
} as const

const shapeOf: Readonly<Record<Level | Condition, keyof typeof shapes>> = {
  ok: 'tick',
  fresh: 'tick',
  info: 'letter',
  stale: 'half',
  warning: 'triangle',
  failing: 'triangle',
  critical: 'cross',
  unavailable: 'cross',
  unused: 'ring',
}

/** The shape of a state. The text beside it says the same. */
export function icon(state: Level | Condition): Html {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">${shapes[shapeOf[state]]}</svg>`
}

const colors: Readonly<Record<Level, string>> = {
  ok: '#35a873',
  info: '#2f80d0',
  warning: '#e07a2c',
  critical: '#d33a45',
}

/** The picture of the page's tab, as a `data:` URL: a state can be seen from another tab. */
export function tabIcon(level: Level): string {
  const shape = shapes[shapeOf[level]].markup
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${colors[level]}">${shape}</svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

/** What a card is rendered with. */
export interface CardContext {
  /** Epoch milliseconds. */
  readonly now: number
  readonly history: StatusHistory
  /** The path of the mount, relative to the page, with a slash at its end. */
  readonly base: string
  /** True for cards whose details are shown at first. */
  readonly isOpen: boolean
}

/** The conditions as they are shown. */
export const conditionNames: Readonly<Record<Condition, string>> = {
  unavailable: 'Unavailable',
  failing: 'Failing',
  unused: 'Not used yet',
  stale: 'Stale',
  fresh: 'Fresh',
}

const MAX_SHOWN_KIDS = 20
const MAX_SHOWN_KID = 80

/** One provider. */
export function providerCard({ status, condition }: ListedProvider, context: CardContext): Html {
  const { now } = context
  const id = `${status.tenant}/${status.provider}`
  const line = timelineOf(status, now)
  return html`<li class="card ${condition}" id="provider/${id}">
<article aria-labelledby="name/${id}">
<div class="head">
<h3 id="name/${id}">${status.tenant}<span class="slash">/</span>${status.provider}</h3>
<p class="badge">${icon(condition)}${conditionNames[condition]}</p>
<p class="facts">${factsOf(status)}</p>
</div>
<p class="words">${wordsOf(status, condition, now)}</p>
${line !== undefined && timelineSvg(line)}
${line !== undefined && momentsOf(status, now)}
<details id="more/${id}"${context.isOpen && html` open`}>
<summary id="summary/${id}">Keys, refusals and counters<span class="hidden"> of ${id}</span></summary>
${detailsOf(status, context)}
</details>
</article>
</li>`
}

function factsOf({ kids, hitRate, metrics }: ProviderStatus): string {
  const keys = kids.length === 1 ? '1 key' : `${kids.length} keys`
  return metrics.requests === 0 ? keys : `${keys} · hit rate ${percent(hitRate)}`
}

function wordsOf(status: ProviderStatus, condition: Condition, now: number): Html {
  const { lastError, state, staleUntil, expiresAt, source } = status
  if (lastError !== undefined) {
    const { words } = upstreamWords(lastError.code)
    const left = staleUntil === undefined ? '' : ` for another ${durationText(Date.parse(staleUntil) - now)}`
    const consequence =
      condition === 'unavailable'
        ? 'No usable keys are cached, so its requests get 503.'
        : `Cached keys serve${left}, and no request is affected until then.`
    return html`The provider ${words}. ${consequence} <span class="muted">${lastError.message} (<code>${lastError.code}</code>).</span>`
  }
  const fetching = state === 'loading' || state === 'refreshing' ? ' A fetch is in flight.' : ''
  if (condition === 'unused') return html`No keys are cached: the first request fetches them.${fetching}`
  if (condition === 'stale')
    return html`Its keys have expired, and none were requested since: the next request refreshes them first.${fetching}`
  if (expiresAt === undefined) {
    return source === 'inline'
      ? html`Its keys are part of the configuration and never expire.`
      : html`Its keys are kept as immutable and never expire.${fetching}`
  }
  return html`<span class="muted">Its keys are fresh.${fetching}</span>`
}

function momentsOf({ lastRefresh, nextRefresh, expiresAt, staleUntil }: ProviderStatus, now: number): Html {
  const moments: readonly (readonly [Moment, string, string | undefined])[] = [
    ['fetched', 'Fetched', lastRefresh],
    ['due', 'Refresh due', nextRefresh],
    ['expiry', 'Expiry', expiresAt],
    ['unusable', 'Unusable from', staleUntil],
  ]
  return html`<dl class="moments">${moments.map(
    ([moment, name, time]) =>
      time !== undefined &&
      html`<div><dt>${momentIcon(moment)}${name}</dt><dd>${distanceText(Date.parse(time), now)} ${timeElement(Date.parse(time), now)}</dd></div>`,
  )}</dl>`
}

function detailsOf(status: ProviderStatus, { history, now, base }: CardContext): Html {
  const { tenant, provider, kids, metrics, source, errorCount, staleServeRatio } = status
  const changes = history.keyChanges(status)
  const refusals = history.refusals(status)
  const pairs: readonly (readonly [string, string | number])[] = [
    ['Key requests', metrics.requests],
    ['Served from the cache', `${metrics.hits} (${percent(status.hitRate)})`],
    ['Served with expired keys', `${metrics.stale} (${percent(staleServeRatio)})`],
    ['Fetches', metrics.refreshes],
    ['Failed fetches', `${metrics.refreshErrors}${errorCount > 0 ? `, ${errorCount} in a row` : ''}`],
    ['Keys come from', source],
  ]
  const path = `${base}providers/${tenant}/${provider}`
  return html`<div class="more">
<section><h4>Keys</h4>${kids.length === 0 ? html`<p class="muted">None.</p>` : html`<ul>${kids.slice(0, MAX_SHOWN_KIDS).map((kid) => keyItem(kid, changes, history, now))}</ul>`}
${kids.length > MAX_SHOWN_KIDS && html`<p class="muted">And ${kids.length - MAX_SHOWN_KIDS} more.</p>`}</section>
<section><h4>What changed</h4>${changes.length === 0 ? html`<p class="muted">No key since ${clockText(history.since, now)} UTC.</p>` : html`<ul>${changes.slice(0, 8).map((change) => changeItem(change, now))}</ul>`}</section>
<section><h4>Refused requests, last ${durationText(15 * 60_000)}</h4>${refusals.length === 0 ? html`<p class="muted">None.</p>` : html`<ul>${refusals.map(refusalItem)}</ul>`}</section>
<section><h4>Counters</h4><dl class="pairs">${pairs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>
<div class="actions">
<form method="post" action="${path}/refresh"><button id="refresh/${tenant}/${provider}" data-name="${tenant}/${provider}">Fetch keys now<span class="hidden"> for ${tenant}/${provider}</span></button></form>
<a id="json/${tenant}/${provider}" href="${path}">JSON<span class="hidden"> of ${tenant}/${provider}</span></a>
</div>
</div>`
}

/** A key and since when it is known: whatever was published before the history began has no age. */
function keyItem(kid: string, changes: readonly KeyChange[], { since }: StatusHistory, now: number): Html {
  const known = changes.find(({ kid: changed, change }) => changed === kid && change !== 'removed')
  const age =
    known === undefined
      ? `for more than ${durationText(now - since)}`
      : `${known.change} ${distanceText(known.time, now)}`
  return html`<li><span class="kid">${shortened(kid)}</span> <span class="muted">${age}</span></li>`
}

function changeItem({ kid, change, time }: KeyChange, now: number): Html {
  return html`<li>${timeElement(time, now)} <span class="kid">${shortened(kid)}</span> <span class="muted">${change}</span></li>`
}

function refusalItem({ code, count }: RefusalCount): Html {
  return html`<li><b>${count}</b> ${refusalWords(code).words} <code class="muted">${code}</code></li>`
}

/** A time of day, with the whole time for machines. */
export function timeElement(time: number, now: number): Html {
  return html`<time datetime="${new Date(time).toISOString()}">${clockText(time, now)}</time>`
}

function shortened(kid: string): string {
  return kid.length > MAX_SHOWN_KID ? `${kid.slice(0, MAX_SHOWN_KID)}…` : kid
}

/** Rounded down: 100 % means all of them. */
function percent(share: number): string {
  return `${Math.floor(share * 1000) / 10} %`
}
